import type { Progress } from '../../contracts/run.ts';
import type { RecordService } from '../records/record.service.ts';

/** The metrics of a run that a dashboard shows. All of them are at `GET /runs/{id}/metrics`. */
export const keyMetrics = [
  'train/loss',
  'train/avg_reward',
  'train/accuracy',
  'train/kl',
  'train/entropy',
  'train/dead_group_ratio',
  'train/truncated_ratio',
  'train/mismatch_kl',
  'train/learning_rate',
  'train/grad_norm',
  'eval/accuracy',
  'eval/avg_reward',
  'eval_avg_test_pass_rate',
  'perf/throughput',
  'perf/rollout_time',
  'perf/training_time',
  // Of rollouts that go on while the policy is trained.
  'train/staleness_max',
  'train/stale_dropped',
  'perf/rollout_wait_time',
  'perf/rollout_idle_time',
  'perf/inference_retries',
] as const;

/** Runs at most whose metrics are given: each costs so many series, and a look into the index each time. */
export const RUNS_SHOWN = 50;

export interface RunMetrics {
  runs: { run: string; step: number; values: [metric: string, value: number][] }[];
  /** Runs beyond `RUNS_SHOWN`. */
  leftOut: number;
}

/** Where the newest of these runs stand. */
export function readRunMetrics(
  runs: readonly { id: string; startedAt: number | null }[],
  records: Pick<RecordService, 'latestValues' | 'progress'>,
): RunMetrics {
  const newest = [...runs].sort((a, b) => (b.startedAt ?? 0) - (a.startedAt ?? 0)).slice(0, RUNS_SHOWN);
  return {
    runs: newest.map(({ id }) => ({
      run: id,
      step: standing(records.progress(id)),
      values: Object.entries(records.latestValues(id, keyMetrics)),
    })),
    leftOut: runs.length - newest.length,
  };
}

/** Steps done; of an evaluation, which makes none, problems done. */
function standing(progress: Progress | null): number {
  return progress?.evaluated?.done ?? progress?.step ?? 0;
}
