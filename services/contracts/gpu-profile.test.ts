import { describe, expect, it } from 'vitest';
import { gpuProfileSchema } from './gpu-profile.ts';

const role = (gpus: number | number[], gpu_memory_utilization: number | null = 0.85) => ({
  gpus,
  gpu_memory_utilization,
  shm_gib: 8,
});
const server = (gpus: number | number[], tensor_parallel_size = 1, share?: number | null) => ({
  ...role(gpus, share),
  tensor_parallel_size,
});
const profile = (change: Record<string, unknown>) => ({
  name: 'mine',
  description: 'For this test.',
  mode: 'split',
  inference: server(2, 2),
  trainer: role(2),
  hand_off: 'none',
  deadlines: { ready: 1800, hand_off: 60 },
  ...change,
});
const issuesOf = (change: Record<string, unknown>) => {
  const issues = gpuProfileSchema.safeParse(profile(change)).error?.issues ?? [];
  return Object.fromEntries(issues.map(({ path, message }) => [path.join('.'), message]));
};

describe('a GPU profile', () => {
  it('has counts or fixed indices for each role', () => {
    expect(issuesOf({})).toEqual({});
    expect(issuesOf({ inference: server([0, 1], 2), trainer: role([2, 3]) })).toEqual({});
    expect(issuesOf({ trainer: role([2, 2]) })).toEqual({ 'trainer.gpus': 'names GPU 2 twice' });
  });

  it('gives the roles of a split disjoint sets, and each a GPU', () => {
    expect(issuesOf({ inference: server([0, 1], 2), trainer: role([1, 2]) })).toEqual({
      'trainer.gpus': 'names GPU 1, which inference has too; in mode split the sets are disjoint',
    });
    expect(issuesOf({ trainer: role(0, null) })).toEqual({
      'trainer.gpus': 'is 0, but in mode split each role has GPUs',
    });
  });

  it('gives shared roles the same GPUs, in whatever order they are named', () => {
    const shared = { mode: 'shared', hand_off: 'sleep' };
    expect(issuesOf({ ...shared, inference: server([1, 0], 2), trainer: role([0, 1]) })).toEqual({});
    expect(issuesOf({ ...shared, inference: server(2, 2), trainer: role(1) })).toEqual({
      'trainer.gpus': 'is 1, inference has 2; in mode shared both have the same GPUs, one at least',
    });
  });

  it('has budgets that add up, unless the server sleeps while the trainer trains', () => {
    const shared = { mode: 'shared', inference: server(1, 1, 0.45), trainer: role(1, 0.6) };
    expect(issuesOf({ ...shared, trainer: role(1, 0.55) })).toEqual({});
    expect(issuesOf({ ...shared, hand_off: 'sleep' })).toEqual({});
    expect(issuesOf(shared)).toEqual({
      'trainer.gpu_memory_utilization':
        'server and trainer share the memory: 0.45 + 0.6 = 1.05, more than 1; lower one, or hand off by sleep',
    });
  });

  it('divides its server into whole tensor-parallel groups', () => {
    expect(issuesOf({ inference: server(4, 2) })).toEqual({});
    expect(issuesOf({ inference: server(5, 2) })).toEqual({
      'inference.tensor_parallel_size': '5 GPUs are no whole number of groups of 2: 5 = 2 × 2 + 1',
    });
  });

  it('has a budget where it has GPUs, and only there', () => {
    expect(issuesOf({ trainer: role(2, null) })).toEqual({
      'trainer.gpu_memory_utilization': 'is null, but the role has 2 GPUs',
    });
    expect(issuesOf({ mode: 'none', inference: server(0, 1, 0.5), trainer: role(1) })).toEqual({
      'inference.gpu_memory_utilization': 'is 0.5, but the role has no GPU; set it to null',
      'trainer.gpus': 'must be 0 in mode none',
    });
  });

  it('hands GPUs off only where they are shared', () => {
    expect(issuesOf({ hand_off: 'sleep' })).toEqual({
      hand_off: 'is sleep, but split roles share no GPU; set it to none',
    });
  });
});
