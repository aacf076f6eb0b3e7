import { describe, expect, it } from 'vitest';
import { recorded, recordedSource } from './recorded.fixture.ts';
import { ProgramError } from './run-program.ts';

const signal = new AbortController().signal;
const hang = new ProgramError('took longer than 30 s and was killed; dmesg may say what it waits for');

describe('the GPUs that nvidia-smi lists', () => {
  it('are put together from its answers', async () => {
    const { gpus, links, problems, ...versions } = await recordedSource('h100-8-nvlink').read(signal);
    expect(versions).toEqual({ driver_version: '570.124.06', cuda_version: '12.8' });
    expect(problems).toEqual([]);
    expect(
      gpus.map(({ index, numa_node, compute_capability, health }) => [
        index,
        numa_node,
        compute_capability,
        health.verdict,
      ]),
    ).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((index) => [index, index < 4 ? 0 : 1, '9.0', 'healthy']));
    expect(gpus[3]?.foreign_processes.map(({ pid, container }) => [pid, container])).toEqual([
      [41394, 'c0ffee'],
      [41782, null],
    ]);
    expect(links).toHaveLength(28);
    expect(links[0]).toEqual({ between: [gpus[0]?.uuid, gpus[1]?.uuid], kind: 'NV', nvlinks: 18 });
  });

  it('have their index from nvidia-smi, not from their place or their minor number', async () => {
    const turned = recorded('a100-2-mig', 'index.csv').replace(/^0, (.*)\n1, (.*)\n$/, '1, $1\n0, $2\n');
    const { gpus } = await recordedSource('a100-2-mig', { '--query-gpu': turned }).read(signal);
    expect(gpus.map(({ index, pci_bus_id }) => [index, pci_bus_id])).toEqual([
      [0, '0000:41:00'],
      [1, '0000:01:00'],
    ]);
  });

  it('have the UUIDs of their MIG devices; a process in two of them is listed once', async () => {
    const { gpus } = await recordedSource('a100-2-mig').read(signal);
    expect(gpus[0]?.mig?.devices.map(({ uuid, profile }) => [uuid?.slice(0, 4), profile])).toEqual([
      ['MIG-', '3g.40gb'],
      ['MIG-', '2g.20gb'],
      ['MIG-', '1g.10gb'],
    ]);
    expect(gpus[0]?.foreign_processes).toEqual([{ pid: 90211, name: 'python3', memory_mib: null, container: null }]);
  });

  it('say which of them are broken, and which is lost', async () => {
    const kernelLog = recorded('h100-5-broken', 'kmsg.txt');
    const { gpus, problems } = await recordedSource('h100-5-broken', {}, kernelLog).read(signal);
    expect(gpus.map(({ health }) => health.verdict)).toEqual(['healthy', 'degraded', 'unusable', 'unusable']);
    expect(gpus[1]?.xids.map(({ code }) => code)).toEqual([63, 94]);
    expect(problems).toEqual([
      'The GPU at 0000:9d:00 cannot be reached (Unknown Error); reboot the host, and replace the GPU if that does not help.',
    ]);
  });

  it('are counted: one that is not described and not named is told of', async () => {
    const text = recorded('a10-4-pcie', 'smi.xml').replace('<attached_gpus>4<', '<attached_gpus>5<');
    const { problems } = await recordedSource('a10-4-pcie', { '-q': text }).read(signal);
    expect(problems).toEqual(['nvidia-smi counts 5 GPUs and describes 4; see dmesg for the others.']);
  });

  it('are listed without what a call failed to say, and the problem with it', async () => {
    const { gpus, links, problems } = await recordedSource('a10-4-pcie', { topo: hang, '--query-gpu': hang }).read(
      signal,
    );
    expect(gpus.map(({ index, numa_node, compute_capability }) => [index, numa_node, compute_capability])).toEqual(
      [0, 1, 2, 3].map((index) => [index, null, null]),
    );
    expect(links).toEqual([]);
    expect(problems).toEqual([
      `nvidia-smi topo -m ${hang.message}.`,
      `nvidia-smi --query-gpu=index,uuid,compute_cap --format=csv,noheader ${hang.message}.`,
    ]);
  });

  it('may be none', async () => {
    const { gpus, problems } = await recordedSource('a10-4-pcie', {
      '-q': { code: 6, stdout: 'No devices were found\n' },
    }).read(signal);
    expect([gpus, problems]).toEqual([[], []]);
  });

  it.each([
    [hang, /^nvidia-smi -q -x took longer than 30 s/],
    [
      { code: 9, stdout: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n" },
      /^nvidia-smi ended with 9 and said "NVIDIA-SMI has failed.*see dmesg/,
    ],
    [{ code: null, stdout: '' }, /^nvidia-smi ended with a signal and said nothing/],
    ['<html>', /^nvidia-smi -q -x: there is no <nvidia_smi_log>/],
    [{ code: 15, stdout: recorded('v100-lost', 'smi.xml') }, /^The GPU at 0000:cb:00 cannot be reached \(GPU is lost/],
  ])('cannot be read when nvidia-smi fails (%#)', async (answer, message) => {
    await expect(recordedSource('a10-4-pcie', { '-q': answer }).read(signal)).rejects.toThrow(message);
  });
});
