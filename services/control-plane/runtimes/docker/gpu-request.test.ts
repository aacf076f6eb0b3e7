import { describe, expect, it } from 'vitest';
import { deviceRequest, gpuDriverOf, showsGpus } from './gpu-request.ts';

const none = { runtimes: ['runc'], cdiDirectories: [], cdiDevices: [] };

describe('how a daemon gives out GPUs', () => {
  it.each([
    ['with the runtime hook of the NVIDIA toolkit', { ...none, runtimes: ['nvidia', 'runc'] }, 'nvidia'],
    [
      'with both, by the hook',
      { runtimes: ['nvidia'], cdiDirectories: ['/etc/cdi'], cdiDevices: ['nvidia.com/gpu=0'] },
      'nvidia',
    ],
    [
      'with CDI devices that it has found',
      { ...none, cdiDirectories: ['/etc/cdi'], cdiDevices: ['nvidia.com/gpu=0'] },
      'cdi',
    ],
    ['with CDI switched on in an engine that lists no devices', { ...none, cdiDirectories: ['/etc/cdi'] }, 'cdi'],
    [
      'with CDI devices of others alone',
      { ...none, cdiDirectories: ['/etc/cdi'], cdiDevices: ['amd.com/gpu=0'] },
      null,
    ],
    ['with nothing', none, null],
  ])('%s', (_, facts, driver) => {
    expect(gpuDriverOf(facts)).toBe(driver);
  });

  it.each([
    ['the hook', { ...none, runtimes: ['nvidia', 'runc'] }, true],
    ['a device that it has found', { ...none, cdiDevices: ['nvidia.com/gpu=0'] }, true],
    ['a device of others', { ...none, cdiDevices: ['amd.com/gpu=0'] }, false],
    ['directories for CDI, which each new engine has', { ...none, cdiDirectories: ['/etc/cdi'] }, false],
  ])('is a sign that there are some, or none: %s', (_, facts, shows) => {
    expect(showsGpus(facts)).toBe(shows);
  });

  it('is asked for by UUID in one request, never by a count', () => {
    expect(deviceRequest('nvidia', ['GPU-a', 'GPU-b'])).toEqual({
      Driver: 'nvidia',
      DeviceIDs: ['GPU-a', 'GPU-b'],
      Capabilities: [['gpu', 'compute', 'utility']],
    });
    expect(deviceRequest('cdi', ['GPU-a'])).toEqual({ Driver: 'cdi', DeviceIDs: ['nvidia.com/gpu=GPU-a'] });
  });
});
