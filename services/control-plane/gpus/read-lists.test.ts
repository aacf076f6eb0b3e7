import { describe, expect, it } from 'vitest';
import { readIndices, readLostGpus, readMigList } from './read-lists.ts';
import { recorded } from './recorded.fixture.ts';

describe('lists of nvidia-smi', () => {
  it('give index and compute capability by UUID, whatever else is printed', () => {
    const indices = readIndices(recorded('h100-5-broken', 'index.csv'));
    expect(indices.map(({ index, computeCapability }) => [index, computeCapability])).toEqual([
      [0, '9.0'],
      [1, '9.0'],
      [2, '9.0'],
      [3, '9.0'],
    ]);
    expect(readIndices('2, GPU-abc, [N/A]\n')).toEqual([{ index: 2, uuid: 'GPU-abc', computeCapability: null }]);
  });

  it('give the UUIDs and sizes of MIG devices', () => {
    const devices = readMigList(recorded('a100-2-mig', 'list.txt'));
    expect(devices.map(({ index, profile }) => [index, profile])).toEqual([
      [0, '3g.40gb'],
      [1, '2g.20gb'],
      [2, '1g.10gb'],
    ]);
    expect(new Set(devices.map(({ gpu }) => gpu)).size).toBe(1);
    expect(devices[0]?.uuid).toMatch(/^MIG-[0-9a-f-]{36}$/);
  });

  it.each([
    ['GPU4: 0000:9D:00.0: Unknown Error', '0000:9d:00', 'Unknown Error'],
    ['GPU 0000:CB:00.0: GPU is lost.  Reboot the system to recover this GPU', '0000:cb:00', /^GPU is lost/],
    ['GPU0000:08:00.0: Unknown Error', '0000:08:00', 'Unknown Error'],
  ])('name a GPU that is out of reach: %s', (words, pciBusId, why) => {
    const line = `Unable to determine the device handle for ${words}\n`;
    expect(readLostGpus(line + line)).toEqual([
      { pciBusId, why: typeof why === 'string' ? why : expect.stringMatching(why) },
    ]);
  });
});
