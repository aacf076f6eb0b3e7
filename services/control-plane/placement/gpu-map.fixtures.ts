import type { GpuLink, GpuMap, PlaceableGpu } from './gpu-map.ts';

/** GPUs of a test host with the link that a matrix or a rule gives two of them. */
export function gpuMap(
  count: number,
  link: (a: number, b: number) => GpuLink,
  change: (index: number) => Partial<PlaceableGpu> = () => ({}),
): GpuMap {
  const gpus = Array.from({ length: count }, (_, index): PlaceableGpu => {
    const numa = index < count / 2 ? 0 : 1;
    return { uuid: `GPU-${index}`, index, numa, memoryMiB: 81_559, healthy: true, ...change(index) };
  });
  return { gpus, link: (a, b) => (a.index < b.index ? link(a.index, b.index) : link(b.index, a.index)) };
}

/** HGX H100: every pair over the NVSwitches; NUMA node 0 holds 0-3, node 1 holds 4-7. */
export const eightH100 = gpuMap(8, () => 'NV18');

/** Four A10 without NVLink, two on each socket. */
export const fourA10 = gpuMap(
  4,
  (a, b) => (Math.floor(a / 2) === Math.floor(b / 2) ? 'PHB' : 'SYS'),
  () => ({ memoryMiB: 23_028 }),
);

/** NVLinks of a DGX-1 with V100s, the hybrid cube mesh of its `nvidia-smi topo -m`: two quads, each GPU joined to one of the other quad. */
const CUBE_MESH: Readonly<Record<string, GpuLink>> = {
  '0,1': 'NV1',
  '0,2': 'NV1',
  '0,3': 'NV2',
  '0,4': 'NV2',
  '1,2': 'NV2',
  '1,3': 'NV1',
  '1,5': 'NV2',
  '2,3': 'NV2',
  '2,6': 'NV1',
  '3,7': 'NV1',
  '4,5': 'NV1',
  '4,6': 'NV1',
  '4,7': 'NV2',
  '5,6': 'NV2',
  '5,7': 'NV1',
  '6,7': 'NV2',
};

export const cubeMesh = gpuMap(
  8,
  (a, b) => CUBE_MESH[`${a},${b}`] ?? (Math.floor(a / 4) === Math.floor(b / 4) ? 'NODE' : 'SYS'),
  () => ({ memoryMiB: 32_510 }),
);

/** One GPU, not divided by MIG. */
export const single = gpuMap(1, () => 'SYS');

/** Numbers in 0..1 that are the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
