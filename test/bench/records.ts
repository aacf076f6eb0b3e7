import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainerRecord } from '../../services/contracts/record.ts';
import { createRecordService } from '../../services/control-plane/records/record.service.ts';
import { migrations } from '../../services/control-plane/schema.ts';
import { openDatabase } from '../../services/platform/database.ts';
import { createLogger } from '../../services/platform/logger.ts';
import { type Bench, round, table } from './support/bench.ts';
import { median, percentile, timed, timedInTurns } from './support/measure.ts';

const SHORT_STEPS = 100;
const LONG_STEPS = 10_000;
/** A trainer posts about once a second. */
const STEPS_PER_POST = 25;

/**
 * Records taken in: each post is appended, synced to disk and indexed before it is answered. Then the same questions about the last 100 steps
 * of a run of 10,000 steps and of one of 100.
 */
export const runRecordsBench: Bench = async (print) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-records-'));
  const db = openDatabase({ path: join(directory, 'tandem.db'), migrations });
  const log = createLogger({ level: 'error', terminal: null });
  const records = createRecordService({ db, directory: join(directory, 'records'), now: Date.now, log });
  try {
    const [short, long] = ['run-aaaaaaaa', 'run-bbbbbbbb'];
    await fill(records, short, SHORT_STEPS);
    const { count, seconds, posts } = await fill(records, long, LONG_STEPS);
    const asks = (run: string, steps: number) => async () => {
      await records.metrics({ run, names: undefined, fromStep: steps - SHORT_STEPS + 1, points: 1000 });
      await records.logs({ run, level: 'INFO', tail: 100 });
    };
    const works = { short: asks(short, SHORT_STEPS), long: asks(long, LONG_STEPS) };
    const times = await timedInTurns(works, { count: 300, warmup: 20 });
    const [low, high] = [percentile(times.short, 99), percentile(times.long, 99)];
    print(
      table([
        ['', 'p50 ms', 'p99 ms'],
        [`a post of ${(count * STEPS_PER_POST) / LONG_STEPS} records`, median(posts), percentile(posts, 99)],
        [`last ${SHORT_STEPS} steps and lines of ${SHORT_STEPS}`, median(times.short), low],
        [`last ${SHORT_STEPS} steps and lines of ${LONG_STEPS}`, median(times.long), high],
      ]),
    );
    return {
      bench: 'records',
      baseline: `the same questions about a run of ${SHORT_STEPS} steps`,
      ingest_per_s: Math.round(count / seconds),
      query_p99_ratio: round(high / low),
      sinks_step_ratio: null,
      why: 'sinks_step_ratio needs the sinks of experiment trackers, which this build does not have',
    };
  } finally {
    db.close();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
};

async function fill(
  records: ReturnType<typeof createRecordService>,
  run: string,
  steps: number,
): Promise<{ count: number; seconds: number; posts: number[] }> {
  const posts: number[] = [];
  let [n, step] = [0, 0];
  while (step < steps) {
    const batch: TrainerRecord[] = [];
    for (let i = 0; i < STEPS_PER_POST; i++) batch.push(...stepRecords(++step, () => ++n));
    posts.push(await timed(() => records.ingest(run, 1, batch)));
  }
  return { count: n, seconds: posts.reduce((sum, time) => sum + time, 0) / 1000, posts };
}

/** What a GRPO step reports: twenty metrics, its progress and four lines. */
function stepRecords(step: number, next: () => number): TrainerRecord[] {
  const common = () => ({ n: next(), time: new Date(1_790_000_000_000 + step * 1000).toISOString() });
  const values = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`train/metric_${i}`, Math.sin(step + i)]));
  const progress = { phase: 'training', step, total_steps: step, epoch: 0, elapsed_seconds: step } as const;
  const message = `Step ${step}: loss 0.1234, reward 0.5678, gradient norm 0.9012`;
  return [
    { ...common(), kind: 'metrics', step, epoch: step / 100, samples: step * 8, values },
    { ...common(), kind: 'progress', ...progress, eta_seconds: null },
    ...Array.from({ length: 4 }, (): TrainerRecord => {
      return { ...common(), kind: 'log', component: 'training', level: 'INFO', message };
    }),
  ];
}
