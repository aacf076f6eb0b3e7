import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import type { Tandem } from './tandem.ts';

/** A tiny model and a hundred additions below the control plane's data root, and the specs of small runs on them. */
export async function makeSmallRuns({ directory }: Pick<Tandem, 'directory'>) {
  const model = join(directory, 'model');
  await makeTinyModel(model, { seed: 5 });
  const data = join(directory, 'data');
  mkdirSync(data, { recursive: true });
  const pairs = Array.from({ length: 100 }, (_, i) => ({ a: 10 + ((i * 7) % 40), b: 10 + ((i * 13) % 45) }));
  const train = join(data, 'train.jsonl');
  const val = join(data, 'val.jsonl');
  const lines = pairs.map(({ a, b }) =>
    JSON.stringify({ prompt: `${a}+${b}=`, completion: String(a + b), answer: String(a + b) }),
  );
  writeFileSync(train, `${lines.slice(0, 84).join('\n')}\n`);
  writeFileSync(val, `${lines.slice(84).join('\n')}\n`);

  const pairsFile = (name: string, of: typeof pairs) => {
    const path = join(data, name);
    const rows = of.map(({ a, b }) => ({
      prompt: `${a}+${b}=`,
      chosen: String(a + b),
      rejected: String(10 * (a + b)),
    }));
    writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
    return path;
  };
  const preferences = {
    train_data: pairsFile('preferences.jsonl', pairs.slice(0, 84)),
    val_data: pairsFile('preferences-val.jsonl', pairs.slice(84)),
  };

  const common = { data: { train_data: train, val_data: val }, recovery: { max_restarts: 0 } };
  return {
    model,
    train,
    val,
    sft: (training: object = {}) => ({
      method: 'sft',
      model: { name: model, use_lora: false, max_seq_length: 64 },
      ...common,
      rollout: { max_new_tokens: 6 },
      training: {
        max_steps: 60,
        batch_size: 16,
        learning_rate: 2e-3,
        lr_scheduler_type: 'linear',
        warmup_steps: 5,
        eval_steps: 15,
        save_steps: 7,
        save_total_limit: 2,
        ...training,
      },
    }),
    grpo: (training: object = {}, rest: object = {}) => ({
      method: 'grpo',
      model: { name: model, max_seq_length: 64, lora: { r: 4, alpha: 8 } },
      ...common,
      training: { max_steps: 12, batch_size: 4, learning_rate: 1e-2, eval_steps: 4, save_steps: 3, ...training },
      rollout: { num_rollouts: 4, concurrency: 4, max_new_tokens: 5 },
      ...rest,
    }),
    /** Prefers the right answer to one with a digit too many. */
    dpo: (training: object = {}) => ({
      method: 'dpo',
      model: { name: model, max_seq_length: 64, lora: { r: 4, alpha: 8 } },
      ...common,
      data: preferences,
      training: { max_steps: 12, batch_size: 4, learning_rate: 1e-2, eval_steps: 4, save_steps: 6, ...training },
    }),
  };
}

export type SmallRuns = Awaited<ReturnType<typeof makeSmallRuns>>;
