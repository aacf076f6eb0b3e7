import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainerRecord } from '../../../services/contracts/record.ts';
import { type TestTask, testAttempt, testSpec } from '../../../services/trainer/test-support/attempt.ts';
import { startEmbeddedServer } from '../../../services/trainer/test-support/embedded-server.ts';
import { live } from '../../../services/trainer/test-support/lives.ts';
import { median } from './measure.ts';

/** Where the time of a step went, in seconds. */
export interface MeasuredStep {
  /** Since the step before was done. */
  readonly all: number;
  /** For which the trainer waited for rollouts, publishing not included. */
  readonly rollouts: number;
  /** Until the server served the new policy. */
  readonly publishing: number;
  readonly training: number;
  /** For which no rollout was in flight. */
  readonly idle: number;
}

/** What a run of the bench was, by its records. Times are in seconds. */
export interface MeasuredRun {
  /** From the moment at which the first step began to the end of the last. */
  readonly seconds: number;
  readonly steps: readonly MeasuredStep[];
  /** Medians over steps. */
  readonly median: MeasuredStep;
  readonly stalest: number;
  readonly dropped: number;
  /** Of each evaluation, and the steps and seconds until it. */
  readonly evaluations: readonly { readonly step: number; readonly seconds: number; readonly accuracy: number }[];
}

/** One run of GRPO: the trainer in this process, the embedded server in one of its own, a core for each. */
export async function measureRun(params: {
  readonly task: TestTask;
  readonly written: Record<string, unknown>;
  readonly directory: string;
  readonly rewardFile?: string;
}): Promise<MeasuredRun> {
  const { task, directory, rewardFile } = params;
  mkdirSync(directory, { recursive: true });
  const adaptersRoot = join(directory, 'adapters');
  const server = await startEmbeddedServer({
    model: task.model,
    adaptersRoot,
    directory,
    maxLoras: 6,
    maxModelLen: 512,
  });
  try {
    const spec = testSpec(task, { method: 'grpo', ...params.written });
    const rewardFiles = rewardFile === undefined ? [] : [rewardFile];
    const life = await live(testAttempt({ spec, task, directory, inferenceUrl: server.url, rewardFiles }), directory);
    if (life.exitCode !== 0)
      throw new Error(`a run of the bench ended with ${life.exitCode}: ${life.errors.map(String)}`);
    return measured(life.records);
  } finally {
    await server.kill();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

function measured(records: readonly TrainerRecord[]): MeasuredRun {
  const begin = records.find((record) => record.kind === 'progress' && record.phase === 'rollout');
  if (begin === undefined) throw new Error('the run made no step');
  const since = ({ time }: TrainerRecord) => (Date.parse(time) - Date.parse(begin.time)) / 1000;
  const ends = records.flatMap((record) =>
    record.kind === 'metrics' && 'train/loss' in record.values ? [record] : [],
  );
  const steps = ends.map((record, i) => stepOf(record.values, since(record) - (i === 0 ? 0 : since(ends[i - 1]!))));
  const values = (name: string) => ends.map((record) => Number(record.values[name] ?? 0));
  const middle = (key: keyof MeasuredStep) => median(steps.map((step) => step[key]));
  return {
    seconds: since(ends.at(-1)!),
    steps,
    median: {
      ...{ all: middle('all'), rollouts: middle('rollouts'), publishing: middle('publishing') },
      ...{ training: middle('training'), idle: middle('idle') },
    },
    stalest: Math.max(...values('train/staleness_max')),
    dropped: values('train/stale_dropped').reduce((sum, dropped) => sum + dropped, 0),
    evaluations: records.flatMap((record) => {
      if (record.kind !== 'evaluation') return [];
      const { step, accuracy } = record.evaluation;
      return [{ step, accuracy, seconds: Math.max(0, since(record)) }];
    }),
  };
}

function stepOf(values: Readonly<Record<string, unknown>>, all: number): MeasuredStep {
  const value = (name: string) => Number(values[name] ?? 0);
  const publishing = value('perf/weight_sync_time');
  return {
    ...{ all, publishing, rollouts: value('perf/rollout_time') - publishing, training: value('perf/training_time') },
    // A run that waits for its rollouts has none in flight while it trains.
    idle: value('perf/rollout_idle_time' in values ? 'perf/rollout_idle_time' : 'perf/training_time'),
  };
}
