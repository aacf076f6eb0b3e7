import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrainerRecord } from '../../services/contracts/record.ts';
import type { RecordService } from '../../services/control-plane/records/record.service.ts';
import { type Bench, round, table } from './support/bench.ts';
import { openBenchRecords, stepRecords } from './support/bench-records.ts';
import { median, percentile, timed, timedInTurns } from './support/measure.ts';
import { seedRun } from './support/seed-records.ts';
import { measureSinksStepTime } from './support/sinks-step-time.ts';
import { measureTrainingLog } from './support/training-log-cost.ts';

const SHORT_STEPS = 100;
const LONG_STEPS = 10_000;
/** A trainer posts about once a second. */
const STEPS_PER_POST = 25;
const FEW_RUNS = 10;

/**
 * Records taken in: each post is appended, synced to disk and indexed before it is answered. A metric of a whole run, downsampled, where there are
 * many runs and where there are few. Training steps with the sinks and trackers of the run on and off. What `training_log.json` costs as a run gets longer.
 */
export const runRecordsBench: Bench = async (print, { full }) => {
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-records-'));
  try {
    const ingest = await measureIngest(join(directory, 'ingest'), print);
    const query = await measureQueries(
      directory,
      full ? { runs: 1000, steps: 100_000 } : { runs: 200, steps: 10_000 },
      print,
    );
    const costs = [];
    for (const steps of [1000, 10_000, 100_000]) costs.push(await measureTrainingLog(directory, steps));
    print(
      table([
        ['training_log.json after', 'ms a step', 'cpu ms a step', 'ms a write', 'MiB'],
        ...costs.map((cost) => [`${cost.steps} steps`, cost.msPerStep, cost.cpuMsPerStep, cost.msPerWrite, cost.mib]),
      ]),
    );
    const steps = await measureSinksStepTime(directory);
    print(
      `a training step takes ${round(steps.off)} ms without sinks, ${round(steps.on)} ms with them and all trackers`,
    );
    print(table([['sink', 'records behind at the end'], ...steps.behind.map((each) => [each.sink, each.records])]));
    return {
      bench: 'records',
      baseline: `the same question where there are ${FEW_RUNS} such runs; the same steps reported to a control plane that renders nothing`,
      ingest_per_s: ingest.perSecond,
      query_p99_ratio: round(query.ratio),
      sinks_step_ratio: round(steps.on / steps.off),
      runs: query.runs,
      steps_of_a_run: query.steps,
      ...(!full && { why: { runs: '1,000 runs of 100,000 steps are for --full' } }),
      window_p99_ratio: round(ingest.windowRatio),
      training_log: costs,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
};

/** Also the same questions about the last 100 steps of a run of 10,000 steps and of one of 100. */
async function measureIngest(directory: string, print: (line: string) => void) {
  const { db, records } = openBenchRecords(directory);
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
    return { perSecond: Math.round(count / seconds), windowRatio: high / low };
  } finally {
    db.close();
  }
}

async function measureQueries(
  directory: string,
  { runs, steps }: { runs: number; steps: number },
  print: (line: string) => void,
) {
  const open = (count: number) => {
    const opened = openBenchRecords(join(directory, `runs-${count}`));
    for (let i = 0; i < count; i++) seedRun(opened.db, nameOf(i), { steps, names: ['train/loss'], positions: false });
    return opened;
  };
  const [few, many] = [open(FEW_RUNS), open(runs)];
  try {
    let turn = 0;
    // One after the other over all of them, so that none is asked again while it is still at hand.
    const asking = (records: RecordService, count: number) => async () => {
      const run = nameOf((turn++ * 7919) % count);
      const [series] = await records.metrics({ run, names: ['train/loss'], fromStep: 0, points: 1000 });
      if (series?.steps.length !== 1000) throw new Error(`${run} has ${series?.steps.length} points, not 1000`);
    };
    const works = { few: asking(few.records, FEW_RUNS), many: asking(many.records, runs) };
    const times = await timedInTurns(works, { count: 300, warmup: 20 });
    const [low, high] = [percentile(times.few, 99), percentile(times.many, 99)];
    print(
      table([
        [`a metric of ${steps} steps as 1000 points`, 'p50 ms', 'p99 ms'],
        [`among ${FEW_RUNS} runs`, median(times.few), low],
        [`among ${runs} runs`, median(times.many), high],
      ]),
    );
    return { runs, steps, ratio: high / low };
  } finally {
    few.db.close();
    many.db.close();
  }
}

function nameOf(run: number): string {
  return `run-${String(run).padStart(8, '0')}`;
}

async function fill(
  records: RecordService,
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
