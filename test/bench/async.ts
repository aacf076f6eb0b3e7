import { join } from 'node:path';
import { accuracyRuns } from './support/async-accuracy.ts';
import type { MeasuredRun } from './support/async-runs.ts';
import { BENCH_MODEL, TASKS, type Work, withRuns } from './support/async-work.ts';
import { type Bench, round, table } from './support/bench.ts';
import { median } from './support/measure.ts';

const STEPS = 16;
const CALIBRATION_STEPS = 4;
const MAX_STALENESS = 1;

/** How long training takes, in times of the rollouts, and how often each way is measured. */
const cases = { balanced: { training: 1, rounds: 2 }, skewed: { training: 1 / 3, rounds: 1 } } as const;
type Case = keyof typeof cases;

/**
 * Wall clock of GRPO steps with rollouts that go on while the policy is trained, against the same steps waiting for their rollouts: one trainer and one embedded server, each a
 * process with one thread that computes. How many tasks of a step say something, and how many updates are made from them, sets how long training takes beside the rollouts; a run
 * in which all of them do tells how many that are.
 */
export const runAsyncBench: Bench = (print, { full }) =>
  withRuns(async (measure, directory) => {
    const tell = (name: string, { staleness }: Work, run: MeasuredRun) => {
      const { rollouts, training, publishing } = run.median;
      const [waited, trained, published] = [rollouts, training, publishing].map((seconds) => seconds.toFixed(2));
      print(
        `${name}, max_staleness ${staleness}: ${run.seconds.toFixed(1)} s for ${run.steps.length} steps; each ${waited} s for rollouts, ${published} s publishing, ${trained} s training`,
      );
    };
    const run = async (name: string, work: Work) => {
      const measured = await measure(work);
      tell(name, work, measured);
      return measured;
    };
    const whole = await run('all tasks', { learned: TASKS, updates: 1, staleness: 0, steps: CALIBRATION_STEPS });
    const rows: (string | number)[][] = [headings];
    const figures: Record<string, unknown> = {};
    for (const name of Object.keys(cases) as Case[]) {
      const work = { ...workOf(name, whole), steps: STEPS };
      print(`${name}: ${work.learned} of ${TASKS} tasks say something, ${work.updates} updates`);
      const sync: MeasuredRun[] = [];
      const async: MeasuredRun[] = [];
      for (let i = 0; i < cases[name].rounds; i++) {
        sync.push(await run(name, { ...work, staleness: 0 }));
        async.push(await run(name, { ...work, staleness: MAX_STALENESS }));
      }
      rows.push(...sync.map((each) => row(`${name}, sync`, each)), ...async.map((each) => row(`${name}, async`, each)));
      Object.assign(figures, figuresOf(name, sync, async));
    }
    print(table(rows));
    return {
      bench: 'async',
      baseline: 'the same steps, each waiting for its rollouts, in the same run',
      model: BENCH_MODEL,
      ...{ steps: STEPS, max_staleness: MAX_STALENESS },
      ...figures,
      ...(full && { to_accuracy: await accuracyRuns(join(directory, 'accuracy'), print) }),
    };
  });

/** The work with which training takes as long as the case wants it, by a run in which all tasks said something. */
function workOf(name: Case, { median: { rollouts, training } }: MeasuredRun): Pick<Work, 'learned' | 'updates'> {
  const whole = (cases[name].training * rollouts) / training;
  const updates = Math.max(1, Math.ceil(whole));
  return { updates, learned: Math.max(1, Math.min(TASKS, Math.round((TASKS * whole) / updates))) };
}

const headings = ['', 's', 'step s', 'rollouts s', 'publishing s', 'training s', 'server idle s', 'stalest'];

function row(name: string, { seconds, median: step, stalest }: MeasuredRun): (string | number)[] {
  return [name, seconds, step.all, step.rollouts, step.publishing, step.training, step.idle, stalest];
}

/** The gain that is possible is that of phases just so long, one beside the other. */
function figuresOf(name: Case, sync: readonly MeasuredRun[], async: readonly MeasuredRun[]) {
  const middle = (runs: readonly MeasuredRun[], of: (run: MeasuredRun) => number) => median(runs.map(of));
  const rollouts = middle(sync, (run) => run.median.rollouts);
  const training = middle(sync, (run) => run.median.training);
  const speedup = middle(sync, ({ seconds }) => seconds) / middle(async, ({ seconds }) => seconds);
  const possible = (rollouts + training) / Math.max(rollouts, training);
  return {
    [`speedup_${name}`]: round(speedup),
    [`possible_${name}`]: round(possible),
    [`share_of_possible_${name}`]: round(speedup / possible),
    [`rollouts_to_training_${name}`]: round(rollouts / training),
  };
}
