import { describe, expect, it } from 'vitest';
import { createPlacer } from './place.ts';
import { findBusy, type ListedGpu, type ListedLink, readGpuMap } from './read-gpu-map.ts';

const listed = (index: number, change: Partial<ListedGpu> = {}): ListedGpu => ({
  uuid: `GPU-${index}`,
  index,
  numa_node: 0,
  memory_total_mib: 81_559,
  mig: null,
  health: { verdict: 'healthy' },
  foreign_processes: [],
  ...change,
});
const link = (a: number, b: number, kind: ListedLink['kind'], nvlinks = 0): ListedLink => {
  return { between: [`GPU-${a}`, `GPU-${b}`], kind, nvlinks };
};

describe('the inventory as placement sees it', () => {
  it('has each link in both directions, and NVLinks with their number', () => {
    const { gpus, link: between } = readGpuMap({
      gpus: [listed(0), listed(1), listed(2)],
      links: [link(0, 1, 'NV', 12), link(1, 2, 'PXB')],
    });
    expect([between(gpus[0]!, gpus[1]!), between(gpus[1]!, gpus[0]!), between(gpus[2]!, gpus[1]!)]).toEqual([
      'NV12',
      'NV12',
      'PXB',
    ]);
  });

  it('goes by the NUMA node where links are not known', () => {
    const gpus = [
      listed(0),
      listed(1),
      listed(2, { numa_node: 1 }),
      ...[3, 4].map((i) => listed(i, { numa_node: null })),
    ];
    const map = readGpuMap({ gpus, links: [] });
    const between = (a: number, b: number) => map.link(map.gpus[a]!, map.gpus[b]!);
    expect([between(0, 1), between(0, 2), between(3, 4)]).toEqual(['NODE', 'SYS', 'SYS']);
  });

  it('offers degraded GPUs, but none that is unusable, divided by MIG, or used by somebody else', () => {
    const gpus = [
      listed(0, { health: { verdict: 'unusable' } }),
      listed(1, { mig: { enabled: true } }),
      listed(2, { foreign_processes: [{ pid: 41_394 }] }),
      listed(3, { health: { verdict: 'degraded' }, mig: { enabled: false } }),
      listed(4, { memory_total_mib: null }),
    ];
    const placer = createPlacer(readGpuMap({ gpus, links: [] }));
    const shape = { mode: 'split', inference: 0, tensorParallel: 1, memoryMiB: 1024 } as const;
    expect(placer.place({ ...shape, trainer: 1 }, findBusy(gpus))).toMatchObject({ trainer: [{ uuid: 'GPU-3' }] });
    expect(placer.place({ ...shape, trainer: 2 }, findBusy(gpus)).why).toBe(
      'cannot fit: needs 2 of 1 GiB or more, free 1, 1 with less memory, 1 busy, 2 unhealthy',
    );
  });
});
