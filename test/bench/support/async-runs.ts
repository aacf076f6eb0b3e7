import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrainerRecord } from '../../../services/contracts/record.ts';
import { type TestTask, testAttempt, testSpec } from '../../../services/trainer/test-support/attempt.ts';
import { startEmbeddedServer } from '../../../services/trainer/test-support/embedded-server.ts';
import { live } from '../../../services/trainer/test-support/lives.ts';
import { median } from './measure.ts';

/** What a run of the bench was, by its records. Times are in seconds. */
export interface MeasuredRun {
  /** From the moment at which the first step began to the end of the last. */
  readonly seconds: number;
  readonly steps: number;
  /** Medians over steps. */
  readonly rolloutSeconds: number;
  readonly trainingSeconds: number;
  readonly syncSeconds: number;
  /** Of all that time, for which the trainer waited for rollouts, and rollouts for the trainer. */
  readonly trainerWaited: number;
  readonly rolloutsWaited: number;
  readonly stalest: number;
  readonly dropped: number;
  readonly updates: number;
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

/** Tasks of which the first `learned` of each step's say something: of the others all completions are worth the same, so they cost rollouts and no training. */
export function writeTasks(
  directory: string,
  tasks: { readonly perStep: number; readonly learned: number; readonly steps: number },
): string {
  const rows = Array.from({ length: tasks.perStep * tasks.steps }, (_, row) => {
    const learned = row % tasks.perStep < tasks.learned ? 1 : 0;
    return `${JSON.stringify({ prompt: `task ${row}`, learned })}\n`;
  });
  const file = join(directory, 'tasks.jsonl');
  writeFileSync(file, rows.join(''));
  return file;
}

/** A reward by which every other completion is right, whatever it says, so that training never changes how long completions are. */
export function writeReward(directory: string): string {
  const file = join(directory, 'reward.mjs');
  writeFileSync(
    file,
    'export const everyOther = (completions, { learned }) => completions.map((_, i) => learned[i] * (i % 2));\n',
  );
  return file;
}

function measured(records: readonly TrainerRecord[]): MeasuredRun {
  const begin = records.find((record) => record.kind === 'progress' && record.phase === 'rollout');
  if (begin === undefined) throw new Error('the run made no step');
  const since = ({ time }: TrainerRecord) => (Date.parse(time) - Date.parse(begin.time)) / 1000;
  const steps = records.flatMap((record) =>
    record.kind === 'metrics' && 'train/loss' in record.values ? [record] : [],
  );
  const values = (name: string) => steps.map((record) => Number(record.values[name] ?? 0));
  const sum = (name: string) => values(name).reduce((total, value) => total + value, 0);
  return {
    seconds: since(steps.at(-1)!),
    steps: steps.length,
    rolloutSeconds: median(values('perf/rollout_time')),
    trainingSeconds: median(values('perf/training_time')),
    syncSeconds: median(values('perf/weight_sync_time')),
    trainerWaited: sum('perf/rollout_wait_time'),
    rolloutsWaited: sum('perf/rollout_idle_time'),
    stalest: Math.max(...values('train/staleness_max')),
    dropped: sum('train/stale_dropped'),
    updates: values('train/grad_norm').filter((norm) => norm > 0).length,
    evaluations: records.flatMap((record) => {
      if (record.kind !== 'evaluation') return [];
      const { step, accuracy } = record.evaluation;
      return [{ step, accuracy, seconds: Math.max(0, since(record)) }];
    }),
  };
}
