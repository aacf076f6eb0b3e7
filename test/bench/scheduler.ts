import { gpuMap, randomNumbers } from '../../services/control-plane/placement/gpu-map.fixtures.ts';
import { createPlacer } from '../../services/control-plane/placement/place.ts';
import type { GpuShape } from '../../services/control-plane/placement/shape.ts';
import { explainWaits } from '../../services/control-plane/queue/explain-waits.ts';
import {
  defaultPolicy,
  type GpuQueueState,
  type HoldingRun,
  type WaitingRun,
} from '../../services/control-plane/queue/gpu-queue.ts';
import { scheduleGpus } from '../../services/control-plane/queue/schedule-gpus.ts';
import { type Bench, round, table } from './support/bench.ts';
import { median, percentile } from './support/measure.ts';

const GPUS = 16;
const [FEW, MANY] = [1000, 10_000];
const MINUTE = 60_000;
const [WARMUP, ROUNDS, FULL_ROUNDS] = [50, 1000, 10_000];

/** What the profiles ask for, in the modes and sizes of those that come with Tandem. */
const SHAPES: readonly GpuShape[] = [
  { mode: 'split', inference: 4, trainer: 4, tensorParallel: 4, memoryMiB: 0 },
  { mode: 'split', inference: 2, trainer: 2, tensorParallel: 2, memoryMiB: 0 },
  { mode: 'split', inference: 1, trainer: 1, tensorParallel: 1, memoryMiB: 0 },
  { mode: 'shared', inference: 8, trainer: 8, tensorParallel: 8, memoryMiB: 0 },
  { mode: 'shared', inference: 1, trainer: 1, tensorParallel: 1, memoryMiB: 0 },
];

/**
 * Rounds over a queue that never gets shorter: in each some runs end, others come, and every run that waits is considered and told why it waits, in words.
 * Times are of the whole round. Ageing, estimates (a fifth tells none), backoffs, quotas and preemptions take part; the GPUs are 16 behind NVSwitches.
 */
export const runSchedulerBench: Bench = async (print, { full }) => {
  const queues = { few: simulate(FEW), many: simulate(MANY) };
  const times: Record<keyof typeof queues, number[]> = { few: [], many: [] };
  const begun = { few: 0, many: 0 };
  const rounds = full ? FULL_ROUNDS : ROUNDS;
  for (let turn = -WARMUP; turn < rounds; turn++) {
    for (const name of ['few', 'many'] as const) {
      if (name === 'many' && turn % 4 !== 0) continue;
      const { ms, starts } = queues[name]();
      if (turn < 0) continue;
      times[name].push(ms);
      begun[name] += starts;
    }
  }
  const [few, many] = [median(times.few), median(times.many)];
  const row = (runs: number, all: readonly number[], starts: number) => {
    return [`${runs} runs wait`, all.length, starts, median(all), percentile(all, 99), (runs * 1000) / mean(all)];
  };
  print(
    table([
      ['', 'rounds', 'started', 'p50 ms', 'p99 ms', 'decisions/s'],
      row(FEW, times.few, begun.few),
      row(MANY, times.many, begun.many),
    ]),
  );
  return {
    bench: 'scheduler',
    baseline: `a round over ${FEW} runs`,
    decisions_per_s: Math.round((FEW * 1000) / mean(times.few)),
    p99_ms: round(percentile(times.few, 99)),
    growth: round(many / few),
  };
};

/** A host whose queue always holds so many runs; each call is a round, half a minute after the last one. */
function simulate(length: number): () => { ms: number; starts: number } {
  const random = randomNumbers(length);
  const below = (count: number) => Math.floor(random() * count);
  const map = gpuMap(GPUS, () => 'NV18');
  const placer = createPlacer(map);
  let [now, number]: [number, number] = [0, 0];
  let waiting: WaitingRun[] = [];
  let holding: HoldingRun[] = [];
  const ends = new Map<string, number>();
  const come = (): WaitingRun => ({
    id: `run-${String(number++).padStart(8, '0')}`,
    shape: SHAPES[below(SHAPES.length)]!,
    priority: below(101),
    queuedAt: now - below(600) * MINUTE,
    notBefore: below(10) === 0 ? now + below(10) * MINUTE : null,
    estimateMs: below(5) === 0 ? null : (1 + below(30)) * MINUTE,
    after: null,
    labels: { team: `team-${below(8)}` },
  });

  return () => {
    now += MINUTE / 2;
    holding = holding.filter(({ id }) => ends.get(id)! > now);
    while (waiting.length < length) waiting.push(come());
    const state: GpuQueueState = {
      now,
      usable: 2 ** GPUS - 1,
      quarantined: 0,
      holding,
      waiting,
      quotas: [{ label: 'team', value: null, gpus: 12 }],
      policy: defaultPolicy,
      placer,
    };
    const before = performance.now();
    const decided = scheduleGpus(state);
    const told = explainWaits(decided, state);
    const ms = performance.now() - before;
    if (told.length + decided.starts.length !== length) throw new Error('a run was not decided about');

    const runs = new Map(waiting.map((run) => [run.id, run]));
    for (const { run, gpus } of decided.starts) {
      const { priority, labels, estimateMs } = runs.get(run)!;
      const endsAt = estimateMs === null ? null : now + estimateMs;
      ends.set(run, endsAt ?? now + below(60) * MINUTE);
      holding = [
        ...holding,
        { id: run, gpus, priority, labels, startedAt: now, endsAt, preemptible: true, stopping: false },
      ];
      runs.delete(run);
    }
    const asked = new Set(decided.preemptions.map(({ run }) => run));
    for (const id of asked) ends.set(id, now + MINUTE);
    holding = holding.map((run) => (asked.has(run.id) ? { ...run, stopping: true } : run));
    // As a table with an index on the order gives them.
    waiting = decided.waits.map(({ run }) => runs.get(run)!);
    return { ms, starts: decided.starts.length };
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}
