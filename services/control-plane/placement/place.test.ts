import { describe, expect, it } from 'vitest';
import { bruteForce } from './brute-force.fixtures.ts';
import { cubeMesh, eightH100, fourA10, gpuMap, randomNumbers, single } from './gpu-map.fixtures.ts';
import type { GpuLink, GpuMap, Taken, TakenGpus } from './gpu-map.ts';
import { setOf } from './gpu-sets.ts';
import { createPlacer } from './place.ts';
import { type GpuShape, gpusOf } from './shape.ts';

const shapeOf = (change: Partial<GpuShape> = {}): GpuShape => {
  return { mode: 'split', trainer: 1, inference: 1, tensorParallel: 1, memoryMiB: 0, ...change };
};
const split = (inference: number, trainer: number, change: Partial<GpuShape> = {}) =>
  shapeOf({ inference, trainer, tensorParallel: Math.max(1, inference), ...change });
const taking = (indices: number[], state: Taken = 'leased'): TakenGpus =>
  new Map(indices.map((index) => [`GPU-${index}`, state]));

function placeOn(map: GpuMap, shape: GpuShape, taken: TakenGpus = new Map()) {
  const placed = createPlacer(map).place(shape, taken);
  if (!placed.fits) throw new Error(placed.why);
  const indices = (gpus: readonly { index: number }[]) => gpus.map(({ index }) => index);
  return { ...placed, inference: indices(placed.inference), trainer: indices(placed.trainer) };
}
const whyNot = (map: GpuMap, shape: GpuShape, taken: TakenGpus = new Map()) => {
  const placed = createPlacer(map).place(shape, taken);
  return placed.fits ? 'fits' : placed.why;
};

describe('placing on known hosts', () => {
  it('gives 8 GPUs behind NVSwitches to the roles as split-8 is documented: 0-3 serve, 4-7 train', () => {
    const placed = placeOn(eightH100, split(4, 4));
    expect(placed).toMatchObject({ inference: [0, 1, 2, 3], trainer: [4, 5, 6, 7], exact: true });
    expect(placed.why).toBe(
      'server on 0,1,2,3 over NVLink, trainer on 4,5,6,7 over NVLink; leaves none free; best of 5',
    );
  });

  it('keeps a pair on one NUMA node and leaves the other whole', () => {
    expect(placeOn(eightH100, split(2, 2))).toMatchObject({ inference: [0, 1], trainer: [2, 3] });
    expect(placeOn(eightH100, split(2, 2), taking([1]))).toMatchObject({ inference: [4, 5], trainer: [6, 7] });
  });

  it('takes single GPUs from where the node is broken already', () => {
    expect(placeOn(eightH100, split(0, 1), taking([5])).trainer).toEqual([4]);
    expect(placeOn(eightH100, split(0, 1), taking([0, 1, 5])).trainer).toEqual([2]);
  });

  it('keeps each role on one socket of a host without NVLink', () => {
    expect(placeOn(fourA10, split(2, 2))).toMatchObject({ inference: [0, 1], trainer: [2, 3] });
    expect(placeOn(fourA10, split(2, 1), taking([1]))).toMatchObject({ inference: [2, 3], trainer: [0] });
    const small = placeOn(fourA10, split(1, 1), taking([0]));
    expect(small).toMatchObject({
      inference: [2],
      trainer: [3],
      why: 'server on 2, trainer on 3; leaves 1 free; best of 3',
    });
  });

  it('gives each role of a cube mesh a quad, and a small run a pair that breaks only one quad', () => {
    expect(placeOn(cubeMesh, split(4, 4))).toMatchObject({ inference: [0, 1, 2, 3], trainer: [4, 5, 6, 7] });
    const small = placeOn(cubeMesh, split(0, 2));
    expect(small).toMatchObject({ trainer: [0, 3] });
    expect(small.why).toBe(
      'trainer on 0,3 over NVLink; leaves 6 free (NVLink cliques of 4 + 2 + 2 + 2, NUMA nodes of 4 + 2); best of 16',
    );
    expect(placeOn(cubeMesh, split(0, 2), taking([3])).trainer).toEqual([1, 2]);
  });

  it('divides the server into tensor-parallel groups that are cliques', () => {
    const placed = placeOn(cubeMesh, split(4, 0, { tensorParallel: 2 }), taking([2, 3, 6, 7]));
    expect(placed).toMatchObject({ inference: [0, 1, 4, 5], score: { groupLink: 3 } });
    expect(placeOn(cubeMesh, split(8, 0, { tensorParallel: 4 })).inference).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const crossed = gpuMap(4, (a, b) => (a + b === 3 ? 'NV4' : 'SYS'));
    expect(placeOn(crossed, split(4, 0, { tensorParallel: 2 })).inference).toEqual([0, 3, 1, 2]);
  });

  it('gives a shared profile one set for both roles', () => {
    const shared = shapeOf({ mode: 'shared', inference: 1, trainer: 1 });
    expect(placeOn(single, shared)).toMatchObject({ inference: [0], trainer: [0] });
    const four = shapeOf({ mode: 'shared', inference: 4, trainer: 4, tensorParallel: 4 });
    expect(placeOn(cubeMesh, four, taking([0]))).toMatchObject({ inference: [4, 5, 6, 7], trainer: [4, 5, 6, 7] });
  });

  it('gives fixed GPUs to the role that names them and the best of the others to the other role', () => {
    const fixed = split(0, 0, { inference: [4, 5], tensorParallel: 2, trainer: 2 });
    expect(placeOn(cubeMesh, fixed)).toMatchObject({ inference: [4, 5], trainer: [6, 7] });
    expect(placeOn(eightH100, split(0, 0, { trainer: [0, 7] })).trainer).toEqual([0, 7]);
  });
});

describe('what cannot be placed', () => {
  it('is told in numbers', () => {
    const taken = new Map([...taking([0, 1, 2, 3]), ...taking([4], 'quarantined'), ...taking([5], 'busy')]);
    expect(whyNot(eightH100, split(2, 2), taken)).toBe('cannot fit: needs 4, free 2, 4 leased, 1 busy, 1 quarantined');
    expect(whyNot(single, split(1, 1))).toBe('cannot fit: needs 2, free 1');
  });

  it('names the GPUs that a fixed profile waits for', () => {
    const fixed = split(0, 0, { inference: [0, 1], tensorParallel: 2, trainer: [2, 9] });
    expect(whyNot(eightH100, fixed, taking([1], 'quarantined'))).toBe(
      'cannot fit: needs GPUs 0,1,2,9; 1 is quarantined, 9 is not there',
    );
  });

  it('counts neither GPUs that are not healthy nor those with too little memory', () => {
    const ill = gpuMap(
      4,
      () => 'NV4',
      (index) => (index === 0 ? { healthy: false } : index === 1 ? { memoryMiB: 40_960 } : {}),
    );
    expect(whyNot(ill, split(2, 2))).toBe('cannot fit: needs 4, free 3, 1 unhealthy');
    expect(whyNot(ill, split(2, 1, { memoryMiB: 65_536 }))).toBe(
      'cannot fit: needs 3 of 64 GiB or more, free 2, 1 with less memory, 1 unhealthy',
    );
    expect(placeOn(ill, split(1, 1, { memoryMiB: 65_536 }))).toMatchObject({ inference: [2], trainer: [3] });
  });
});

describe('the search', () => {
  const links: GpuLink[] = ['NV4', 'NV2', 'PIX', 'PXB', 'PHB', 'NODE', 'SYS'];

  /** A host, what is taken of it, and a shape; all from a seed. */
  function draw(seed: number) {
    const random = randomNumbers(seed);
    const below = (count: number) => Math.floor(random() * count);
    const count = 1 + below(7);
    const kinds = links.slice(0, 1 + below(links.length));
    const table = Array.from({ length: count * count }, () => kinds[below(kinds.length)]!);
    const random8 = gpuMap(
      count,
      (a, b) => table[a * count + b]!,
      () => ({ numa: below(3) === 0 ? null : below(2), memoryMiB: 1024 * (1 + below(2)), healthy: below(8) > 0 }),
    );
    const map = [random8, random8, random8, eightH100, fourA10, cubeMesh, single][seed % 7]!;
    const size = map.gpus.length;
    const states: Taken[] = ['leased', 'busy', 'quarantined'];
    const taken: TakenGpus = new Map(
      map.gpus.flatMap(({ uuid }) => (below(4) === 0 ? [[uuid, states[below(3)]!] as const] : [])),
    );
    const group = 1 + below(2);
    const indices = map.gpus.map(({ index }) => index).sort(() => random() - 0.5);
    const [server, trainer] = [group * below(3), below(Math.min(5, size + 1))];
    const asked = (wanted: number, from: number) =>
      below(4) === 0 && from + wanted <= size ? indices.slice(from, from + wanted).sort((a, b) => a - b) : wanted;
    const shape: GpuShape =
      below(3) === 0
        ? { ...shapeOf({ mode: 'shared', tensorParallel: group, inference: server, trainer: server }) }
        : shapeOf({ inference: asked(server, 0), trainer: asked(trainer, server), tensorParallel: group });
    return { map, taken, shape: { ...shape, memoryMiB: below(5) === 0 ? 2048 : 0 } };
  }

  it('finds what looking at every placement finds, on 1,400 drawn hosts', () => {
    let fitted = 0;
    for (let seed = 1; seed <= 1400; seed++) {
      const { map, taken, shape } = draw(seed);
      const placed = createPlacer(map).place(shape, taken);
      const best = bruteForce(map, shape, taken);
      const found = placed.fits
        ? { inference: placed.inference.map(({ index }) => index), trainer: placed.trainer.map(({ index }) => index) }
        : null;
      expect(found, `seed ${seed}: ${JSON.stringify(shape)}`).toEqual(best);
      if (placed.fits) expect(placed.exact).toBe(true);
      const free = setOf(map.gpus.flatMap(({ uuid, healthy }, at) => (healthy && !taken.has(uuid) ? [at] : [])));
      const chosen = createPlacer(map).choose(shape, free);
      expect(chosen).toBe(
        placed.fits ? setOf([...placed.inference, ...placed.trainer].map(({ index }) => index)) : null,
      );
      expect(createPlacer(map).fits(shape, free)).toBe(placed.fits);
      fitted += placed.fits ? 1 : 0;
    }
    expect(fitted).toBeGreaterThan(500);
  });

  it('does not depend on the order in which GPUs are listed', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { map, taken, shape } = draw(seed);
      const backwards = { ...map, gpus: [...map.gpus].reverse() };
      expect(createPlacer(backwards).place(shape, taken)).toEqual(createPlacer(map).place(shape, taken));
    }
  });

  it('remembers answers by what is free and by shape', () => {
    let asked = 0;
    const counted: GpuMap = {
      ...eightH100,
      link: (a, b) => {
        asked += 1;
        return eightH100.link(a, b);
      },
    };
    const placer = createPlacer(counted);
    expect(asked).toBe(56);
    const first = placer.place(split(2, 2), taking([0]));
    expect(placer.place(split(2, 2), taking([0], 'quarantined'))).toBe(first);
    expect(placer.place(split(2, 2), taking([1]))).not.toBe(first);
    expect(placer.place(split(2, 1), taking([0]))).not.toBe(first);
    expect(asked).toBe(56);
  });

  it('stays quick where no two GPUs are alike, keeps the fastest trainer, and says that it left some out', () => {
    const random = randomNumbers(7);
    const table = Array.from({ length: 256 }, () => (['NV1', 'NV2', 'PIX', 'SYS'] as const)[Math.floor(random() * 4)]!);
    const map = gpuMap(16, (a, b) => (a < 4 && b < 4 ? 'NV1' : table[a * 16 + b]!));
    const started = performance.now();
    const placed = placeOn(map, split(8, 4));
    expect(placed.score.trainerLink).toBe(3);
    expect(performance.now() - started).toBeLessThan(5_000);
    const lanes = (a: number, b: number) => `NV${1 + (table[a * 16 + b]!.charCodeAt(2) % 7)}` as const;
    const wide = placeOn(gpuMap(16, lanes), split(6, 5));
    expect(wide.exact).toBe(false);
    expect(wide.why).toMatch(/best of the \d+ that were compared$/);
    expect(new Set([...wide.inference, ...wide.trainer]).size).toBe(gpusOf(split(6, 5)));
  });
});
