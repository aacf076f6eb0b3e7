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
const GRPO_STEPS = 300;
/** Of the held-out problems; the demonstrations leave a model near 0.35. */
const ACCURACY = 0.7;
const STALENESS = [0, 1, 4] as const;

/** Steps and seconds until the quickstart's model has a fixed accuracy on held-out problems, by how stale rollouts may be: three seeds each. */
export async function accuracyRuns(directory: string, print: (line: string) => void) {
  const reached: Record<number, { seed: number; steps: number | null; seconds: number | null }[]> = {
    0: [],
    1: [],
    4: [],
  };
  for (const seed of SEEDS) {
    const { task, model } = await imitate(join(directory, `seed-${seed}`), seed);
    for (const staleness of STALENESS) {
      const run = await measureRun({
        task: { ...task, model },
        written: grpo(seed, staleness),
        directory: join(directory, `seed-${seed}-${staleness}`),
      });
      reached[staleness]!.push({ seed, ...whenReached(run) });
    }
  }
  const rows = STALENESS.flatMap((staleness) =>
    reached[staleness]!.map(({ seed, steps, seconds }) => [
      `max_staleness ${staleness}, seed ${seed}`,
      steps ?? '-',
      seconds ?? '-',
    ]),
  );
  print(table([[`to accuracy ${ACCURACY}`, 'steps', 's'], ...rows]));
  const figures = STALENESS.map((staleness) => {
    const of = (key: 'steps' | 'seconds') => {
      const values = reached[staleness]!.map((each) => each[key]).filter((value) => value !== null);
      return values.length < SEEDS.length ? null : round(median(values));
    };
    return [
      `staleness_${staleness}`,
      { steps: of('steps'), seconds: of('seconds'), runs: reached[staleness] },
    ] as const;
  });
  return { accuracy: ACCURACY, ...Object.fromEntries(figures) };
}

/** The quickstart's model after its demonstrations. */
async function imitate(directory: string, seed: number) {
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

function grpo(seed: number, staleness: number): Record<string, unknown> {
  return {
    ...{ seed, model: { max_seq_length: 64, lora: { r: 8, alpha: 16 } }, reward: [{ name: 'exact' }] },
    training: {
      ...{
        max_steps: GRPO_STEPS,
        batch_size: 16,
        learning_rate: 4e-3,
        lr_scheduler_type: 'constant',
        target_accuracy: ACCURACY,
      },
      ...{ eval_steps: 10, run_baseline_eval: true, save_steps: GRPO_STEPS },
    },
    rollout: {
      num_rollouts: 8,
      concurrency: 16 * (staleness + 1),
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
