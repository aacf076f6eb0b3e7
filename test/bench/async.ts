import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { accuracyRuns } from './support/async-accuracy.ts';
import { type MeasuredRun, measureRun, writeLetters } from './support/async-runs.ts';
import { type Bench, round, table } from './support/bench.ts';
import { benchModels } from './support/bench-models.ts';
import { median } from './support/measure.ts';

const STEPS = 20;
const ROUNDS = 2;
const CALIBRATION_STEPS = 4;
const MAX_STALENESS = 2;
const TASKS = 2;
/** Tokens of a chat prompt beside its text, and how long that may become. */
const [TEMPLATE, LONGEST] = [8, 300];
const rollout = { num_rollouts: 4, max_new_tokens: 128, temperature: 1, concurrency: TASKS * (MAX_STALENESS + 1) };
const training = {
  ...{ batch_size: TASKS, learning_rate: 1e-4, eval_steps: 0, run_baseline_eval: false, save_steps: 1000 },
};

/** How many updates are made from the rollouts of a step: with three the two phases take about the same time, with one rollouts take three times as long. */
const cases = { balanced: 3, skewed: 1 } as const;
/** With phases of `t` and `r`: `(t + r) / max(t, r)`. */
const possible = { balanced: 2, skewed: 4 / 3 } as const;

/**
 * Wall clock of GRPO steps with rollouts that go on while the policy is trained, against the same steps waiting for their rollouts: one trainer and one embedded server, each a
 * process on a core of its own. Prompts are made so long that an update takes a third of the time of the rollouts.
 */
export const runAsyncBench: Bench = async (print, { full }) => {
  // The engine that computes with one thread: two processes on two cores, whichever else the machine could use.
  process.env['TANDEM_TF'] = 'wasm';
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-async-'));
  try {
    const model = join(directory, 'model');
    await makeTinyModel(model, benchModels['4 x 256']);
    const bench = createRuns(directory, model);
    const length = await calibrate(bench.run, print);
    const rows: (string | number)[][] = [headings];
    const figures: Record<string, unknown> = {};
    for (const [name, updates] of Object.entries(cases) as [keyof typeof cases, number][]) {
      const times: { sync: MeasuredRun[]; async: MeasuredRun[] } = { sync: [], async: [] };
      for (let i = 0; i < ROUNDS; i++) {
        times.sync.push(await bench.run({ length, updates, staleness: 0, steps: STEPS }));
        times.async.push(await bench.run({ length, updates, staleness: MAX_STALENESS, steps: STEPS }));
      }
      for (const kind of ['sync', 'async'] as const)
        for (const each of times[kind]) rows.push(row(`${name}, ${kind}`, each));
      Object.assign(figures, figuresOf(name, times.sync, times.async));
    }
    print(table(rows));
    return {
      bench: 'async',
      baseline: 'the same steps, each waiting for its rollouts, in the same run',
      model: '4 x 256',
      steps: STEPS,
      max_staleness: MAX_STALENESS,
      prompt_tokens: length + TEMPLATE,
      ...figures,
      ...(full && { to_accuracy: await accuracyRuns(join(directory, 'accuracy'), print) }),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
};

interface RunOptions {
  readonly length: number;
  readonly updates: number;
  readonly staleness: number;
  readonly steps: number;
}

function createRuns(directory: string, model: string) {
  let count = 0;
  return {
    run({ length, updates, staleness, steps }: RunOptions): Promise<MeasuredRun> {
      const train = writeLetters(directory, { count: TASKS * 50, length });
      const written = {
        model: { max_seq_length: LONGEST + 100, lora: { r: 8, alpha: 16 } },
        training: { ...training, max_steps: steps },
        rollout: { ...rollout, max_staleness: staleness },
        grpo: { num_iterations: updates },
        // Half of all bytes are letters and digits and their like: rewards of a group differ, and nothing is learned by which lengths would change.
        reward: [{ name: 'regex', pattern: '[\\x00-\\x7f]$' }],
        logging: { rollout_log_level: 'WARNING' },
      };
      const at = join(directory, `run-${++count}`);
      mkdirSync(at);
      return measureRun({ task: { model, train, validation: train }, written, directory: at });
    },
  };
}

/** The length of prompts, in characters, with which one update takes a third of the time of the rollouts. */
async function calibrate(
  run: (options: RunOptions) => Promise<MeasuredRun>,
  print: (line: string) => void,
): Promise<number> {
  let length = 4;
  for (let i = 0; i < 3; i++) {
    const { rolloutSeconds, syncSeconds, trainingSeconds } = await run({
      length,
      updates: 1,
      staleness: 0,
      steps: CALIBRATION_STEPS,
    });
    const rollouts = rolloutSeconds - syncSeconds;
    print(
      `prompts of ${length} characters: rollouts ${rollouts.toFixed(2)} s, one update ${trainingSeconds.toFixed(2)} s`,
    );
    const tokens = TEMPLATE + length + rollout.max_new_tokens;
    const wanted = Math.round((tokens * rollouts) / (3 * trainingSeconds)) - TEMPLATE - rollout.max_new_tokens;
    const next = Math.max(4, Math.min(LONGEST, wanted));
    if (Math.abs(next - length) < 0.05 * tokens) return next;
    length = next;
  }
  return length;
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

function figuresOf(name: keyof typeof cases, sync: readonly MeasuredRun[], async: readonly MeasuredRun[]) {
  const seconds = (runs: readonly MeasuredRun[]) => median(runs.map((each) => each.seconds));
  const phases = (of: (run: MeasuredRun) => number) => median(sync.map(of));
  const rollouts = phases(({ rolloutSeconds }) => rolloutSeconds);
  const trainer = phases(({ trainingSeconds }) => trainingSeconds);
  const speedup = seconds(sync) / seconds(async);
  return {
    [`speedup_${name}`]: round(speedup),
    /** Of the gain over 1 that phases of just these lengths would allow. */
    [`share_of_possible_${name}`]: round((speedup - 1) / ((rollouts + trainer) / Math.max(rollouts, trainer) - 1)),
    [`possible_${name}`]: round(possible[name]),
    [`rollouts_to_training_${name}`]: round(rollouts / trainer),
  };
}
