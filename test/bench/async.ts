import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { accuracyRuns } from './support/async-accuracy.ts';
import { type MeasuredRun, measureRun, writeReward, writeTasks } from './support/async-runs.ts';
import { type Bench, round, table } from './support/bench.ts';
import { benchModels } from './support/bench-models.ts';
import { median } from './support/measure.ts';

const STEPS = 16;
const ROUNDS = 2;
const CALIBRATION_STEPS = 4;
const MAX_STALENESS = 2;
const TASKS = 12;
const rollout = { num_rollouts: 4, max_new_tokens: 128, temperature: 1, concurrency: TASKS * (MAX_STALENESS + 1) };
const training = {
  ...{ batch_size: TASKS, learning_rate: 1e-5, eval_steps: 0, run_baseline_eval: false, save_steps: 1000 },
};

/** How long training takes, in times of the rollouts. */
const cases = { balanced: 1, skewed: 1 / 3 } as const;
type Case = keyof typeof cases;

/**
 * Wall clock of GRPO steps with rollouts that go on while the policy is trained, against the same steps waiting for their rollouts: one trainer and one embedded server, each a
 * process on a core of its own. How many tasks of a step say something, and how many updates are made from them, sets how long training takes beside the rollouts.
 */
export const runAsyncBench: Bench = async (print, { full }) => {
  // The engine that computes with one thread: two processes on two cores, whichever else the machine could use.
  process.env['TANDEM_TF'] = 'wasm';
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-async-'));
  try {
    const model = join(directory, 'model');
    await makeTinyModel(model, benchModels['4 x 256']);
    const run = createRuns(directory, model);
    const whole = await run({ ...{ learned: TASKS, updates: 1 }, staleness: 0, steps: CALIBRATION_STEPS });
    const rows: (string | number)[][] = [headings];
    const figures: Record<string, unknown> = {};
    for (const name of Object.keys(cases) as Case[]) {
      const work = workOf(name, whole);
      print(`${name}: ${work.learned} of ${TASKS} tasks say something, ${work.updates} updates`);
      const sync: MeasuredRun[] = [];
      const async: MeasuredRun[] = [];
      const measured = async (staleness: number, into: MeasuredRun[]) => {
        const each = await run({ ...work, staleness, steps: STEPS });
        into.push(each);
        print(`  max_staleness ${staleness}: ${each.seconds.toFixed(1)} s for ${STEPS} steps`);
      };
      for (let i = 0; i < ROUNDS; i++) {
        await measured(0, sync);
        await measured(MAX_STALENESS, async);
      }
      rows.push(...sync.map((each) => row(`${name}, sync`, each)), ...async.map((each) => row(`${name}, async`, each)));
      Object.assign(figures, figuresOf(name, sync, async));
    }
    print(table(rows));
    return {
      bench: 'async',
      baseline: 'the same steps, each waiting for its rollouts, in the same run',
      model: '4 x 256',
      ...{ steps: STEPS, max_staleness: MAX_STALENESS },
      ...figures,
      ...(full && { to_accuracy: await accuracyRuns(join(directory, 'accuracy'), print) }),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
};

interface Work {
  /** Tasks of each step. */
  readonly learned: number;
  readonly updates: number;
}

function createRuns(directory: string, model: string) {
  const reward = writeReward(directory);
  let count = 0;
  return ({
    learned,
    updates,
    staleness,
    steps,
  }: Work & { staleness: number; steps: number }): Promise<MeasuredRun> => {
    const at = join(directory, `run-${++count}`);
    mkdirSync(at);
    const train = writeTasks(at, { perStep: TASKS, learned, steps });
    const written = {
      model: { max_seq_length: 160, lora: { r: 8, alpha: 16 } },
      data: { shuffle: false },
      training: { ...training, max_steps: steps },
      rollout: { ...rollout, max_staleness: staleness },
      grpo: { num_iterations: updates },
      reward: [{ name: 'function', function: `${reward}:everyOther` }],
      logging: { rollout_log_level: 'WARNING' },
    };
    return measureRun({ task: { model, train, validation: train }, written, directory: at, rewardFile: reward });
  };
}

/** The work with which training takes as long as the case wants it, by a run in which all tasks said something. */
function workOf(name: Case, { rolloutSeconds, syncSeconds, trainingSeconds }: MeasuredRun): Work {
  const whole = (cases[name] * (rolloutSeconds - syncSeconds)) / trainingSeconds;
  const updates = Math.max(1, Math.ceil(whole));
  return { updates, learned: Math.max(1, Math.min(TASKS, Math.round((TASKS * whole) / updates))) };
}

const headings = [
  '',
  's',
  'rollouts s',
  'training s',
  'publishing s',
  'trainer waited s',
  'rollouts waited s',
  'stalest',
];

function row(name: string, run: MeasuredRun): (string | number)[] {
  const { seconds, rolloutSeconds, trainingSeconds, syncSeconds, trainerWaited, rolloutsWaited, stalest } = run;
  return [name, seconds, rolloutSeconds, trainingSeconds, syncSeconds, trainerWaited, rolloutsWaited, stalest];
}

/** The gain that is possible is that of phases just so long, one beside the other. */
function figuresOf(name: Case, sync: readonly MeasuredRun[], async: readonly MeasuredRun[]) {
  const middle = (runs: readonly MeasuredRun[], of: (run: MeasuredRun) => number) => median(runs.map(of));
  const rollouts = middle(sync, (run) => run.rolloutSeconds - run.syncSeconds);
  const trainer = middle(sync, (run) => run.trainingSeconds);
  const speedup = middle(sync, ({ seconds }) => seconds) / middle(async, ({ seconds }) => seconds);
  const possible = (rollouts + trainer) / Math.max(rollouts, trainer);
  return {
    [`speedup_${name}`]: round(speedup),
    [`possible_${name}`]: round(possible),
    [`share_of_possible_${name}`]: round(speedup / possible),
    [`rollouts_to_training_${name}`]: round(rollouts / trainer),
  };
}
