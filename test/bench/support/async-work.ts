import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeTinyModel } from '../../../services/model/tiny-model.ts';
import { type MeasuredRun, measureRun } from './async-runs.ts';
import { benchModels } from './bench-models.ts';

/** Tasks that a step plays. */
export const TASKS = 12;
export const BENCH_MODEL = '4 x 256';

/** What sets how long a step trains beside its rollouts, and how it waits for them. */
export interface Work {
  /** Tasks of each step whose rollouts differ in their reward: of the others nothing is learned, so they cost rollouts and no training. */
  readonly learned: number;
  /** Updates from the rollouts of a step. */
  readonly updates: number;
  /** `rollout.max_staleness`. */
  readonly staleness: number;
  readonly steps: number;
}

/**
 * Gives each measured run a directory, and all of them the same model and reward. The trainer and its server compute with one thread each, so that on two cores each has its own
 * in both ways of waiting.
 */
export async function withRuns<T>(
  use: (run: (work: Work) => Promise<MeasuredRun>, directory: string) => Promise<T>,
): Promise<T> {
  Object.assign(process.env, { TANDEM_TF: 'wasm', TANDEM_THREADS: '1' });
  const directory = mkdtempSync(join(tmpdir(), 'tandem-bench-async-'));
  try {
    const model = join(directory, 'model');
    await makeTinyModel(model, benchModels[BENCH_MODEL]);
    const reward = writeReward(directory);
    let count = 0;
    return await use((work) => {
      const at = join(directory, `run-${++count}`);
      mkdirSync(at);
      const train = writeTasks(at, work);
      return measureRun({
        task: { model, train, validation: train },
        written: specOf(work, reward),
        directory: at,
        rewardFile: reward,
      });
    }, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

function specOf({ staleness, steps, updates }: Work, reward: string): Record<string, unknown> {
  return {
    model: { max_seq_length: 96, lora: { r: 8, alpha: 16 } },
    data: { shuffle: false },
    training: {
      ...{ batch_size: TASKS, max_steps: steps, learning_rate: 1e-5, micro_batch_tokens: 1024 },
      ...{ eval_steps: 0, run_baseline_eval: false, save_steps: 1000 },
    },
    rollout: { num_rollouts: 4, max_new_tokens: 40, temperature: 1, concurrency: TASKS, max_staleness: staleness },
    grpo: { num_iterations: updates },
    reward: [{ name: 'function', function: `${reward}:everyOther` }],
    logging: { rollout_log_level: 'WARNING' },
  };
}

/** The first `learned` of each step's tasks say something: of the others all completions are worth the same. */
function writeTasks(directory: string, { learned, steps }: Work): string {
  const rows = Array.from(
    { length: TASKS * steps },
    (_, row) => `${JSON.stringify({ prompt: `task ${row}`, learned: row % TASKS < learned ? 1 : 0 })}\n`,
  );
  const file = join(directory, 'tasks.jsonl');
  writeFileSync(file, rows.join(''));
  return file;
}

/** By it every other completion is right, whatever it says, so that training never changes how long completions are. */
function writeReward(directory: string): string {
  const file = join(directory, 'reward.mjs');
  writeFileSync(
    file,
    'export const everyOther = (completions, { learned }) => completions.map((_, i) => learned[i] * (i % 2));\n',
  );
  return file;
}
