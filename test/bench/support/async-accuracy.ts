import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeTask } from '../../../scripts/quickstart/task.ts';
import { makeTinyModel } from '../../../services/model/tiny-model.ts';
import { type TestTask, testAttempt, testSpec } from '../../../services/trainer/test-support/attempt.ts';
import { live, modelOf } from '../../../services/trainer/test-support/lives.ts';
import { type MeasuredRun, measureRun } from './async-runs.ts';
import { round, table } from './bench.ts';
import { median } from './measure.ts';

const SEEDS = [1, 2, 3] as const;
const SFT_STEPS = 1200;
const GRPO_STEPS = 100;
const EVAL_STEPS = 5;
/** Of the held-out problems; the demonstrations leave a model near 0.4, which has twice that after some thirty steps. */
const ACCURACY = 0.8;
const STALENESS = [0, 1, 4] as const;

/** Steps and seconds, evaluations included, until the quickstart's model has a fixed accuracy on held-out problems, by how stale rollouts may be: three seeds each. */
export async function accuracyRuns(directory: string, print: (line: string) => void) {
  const reached: Reached[] = [];
  for (const seed of SEEDS) {
    const { task, model } = await imitate(join(directory, `seed-${seed}`), seed);
    for (const staleness of STALENESS) {
      const run = await measureRun({
        task: { ...task, model },
        written: grpo(seed, staleness),
        directory: join(directory, `seed-${seed}-${staleness}`),
      });
      const { steps, seconds } = whenReached(run);
      reached.push({ staleness, seed, steps, seconds });
      const curve = run.evaluations.map(({ step, accuracy }) => `${step}: ${accuracy}`).join(', ');
      print(`seed ${seed}, max_staleness ${staleness}: ${run.seconds.toFixed(1)} s; accuracy after step ${curve}`);
    }
  }
  const rows = reached.map(({ staleness, seed, steps, seconds }) => [
    `max_staleness ${staleness}, seed ${seed}`,
    steps ?? '-',
    seconds ?? '-',
  ]);
  print(table([[`to accuracy ${ACCURACY}`, 'steps', 's'], ...rows]));
  const figures = STALENESS.map((staleness) => {
    const runs = reached.filter((each) => each.staleness === staleness);
    return [
      `staleness_${staleness}`,
      { steps: middle(runs, 'steps'), seconds: middle(runs, 'seconds'), runs },
    ] as const;
  });
  return { accuracy: ACCURACY, ...Object.fromEntries(figures) };
}

interface Reached {
  readonly staleness: number;
  readonly seed: number;
  /** Null where it was not reached. */
  readonly steps: number | null;
  readonly seconds: number | null;
}

/** Null where one of them did not reach it. */
function middle(runs: readonly Reached[], key: 'steps' | 'seconds'): number | null {
  const values = runs.flatMap((run) => run[key] ?? []);
  return values.length < runs.length ? null : round(median(values));
}

/** The quickstart's model after its demonstrations. */
export async function imitate(directory: string, seed: number) {
  mkdirSync(directory, { recursive: true });
  const random = join(directory, 'random');
  await makeTinyModel(random, { seed });
  const files = writeTask(join(directory, 'data'), seed);
  const task: TestTask = { model: random, train: files.problems, validation: files.problemsHeldOut };
  const demonstrations = { ...task, train: files.demonstrations, validation: files.demonstrationsHeldOut };
  const spec = testSpec(demonstrations, {
    ...{ method: 'sft', seed, model: { use_lora: false, max_seq_length: 64 } },
    training: {
      ...{ max_steps: SFT_STEPS, batch_size: 32, learning_rate: 3e-3, lr_scheduler_type: 'cosine', warmup_steps: 20 },
      ...{ eval_steps: 0, run_baseline_eval: false, save_steps: SFT_STEPS },
    },
  });
  const sft = await live(testAttempt({ spec, task: demonstrations, directory }), join(directory, 'sft'));
  return { task, model: await modelOf(sft, join(directory, 'model')) };
}

export function grpo(seed: number, staleness: number): Record<string, unknown> {
  return {
    ...{ seed, model: { max_seq_length: 64, lora: { r: 8, alpha: 16 } }, reward: [{ name: 'exact' }] },
    training: {
      ...{
        max_steps: GRPO_STEPS,
        batch_size: 16,
        learning_rate: 3e-4,
        lr_scheduler_type: 'constant',
        target_accuracy: ACCURACY,
      },
      ...{ eval_steps: EVAL_STEPS, run_baseline_eval: true, save_steps: GRPO_STEPS },
    },
    rollout: {
      num_rollouts: 8,
      concurrency: 16,
      temperature: 1,
      max_new_tokens: 6,
      max_staleness: staleness,
    },
    logging: { rollout_log_level: 'WARNING' },
  };
}

function whenReached({ evaluations }: MeasuredRun) {
  const first = evaluations.find(({ accuracy }) => accuracy >= ACCURACY);
  return { steps: first?.step ?? null, seconds: first === undefined ? null : round(first.seconds) };
}
