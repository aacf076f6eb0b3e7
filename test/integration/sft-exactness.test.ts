import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestTask, testAttempt, testSpec, writeTestTask } from '../../services/trainer/test-support/attempt.ts';
import {
  fence,
  finalBytes,
  type Interruption,
  type Life,
  live,
  measured,
  terminateAt,
} from '../../services/trainer/test-support/lives.ts';

let root: string;
let task: TestTask;
const state = ['optimizer.pt', 'scheduler.pt', 'rng_state.json', 'model_version.txt', 'training_metadata.json'];
const full = { files: ['model/model.safetensors', ...state], model: { use_lora: false, max_seq_length: 24 } };
const lora = {
  files: ['model/adapter_model.safetensors', 'model/adapter_config.json', ...state],
  model: { use_lora: true, lora: { r: 4, alpha: 8, dropout: 0.1 } },
};
const training = {
  ...{ batch_size: 6, gradient_accumulation_steps: 2, max_steps: 22, learning_rate: 1e-3, lr_scheduler_type: 'cosine' },
  ...{ warmup_steps: 3, weight_decay: 0.01, eval_steps: 6, save_steps: 8, logging_steps: 5 },
};
/** Nine steps to the epoch, the last of them with 4 of 12 examples; 22 steps in all. What is saved unasked is saved at the boundary of an epoch. */
const epochs = {
  ...{ ...training, max_steps: null, num_epochs: 2.4, save_strategy: 'epoch', lr_scheduler_type: 'linear' },
  ...{ warmup_steps: null, warmup_ratio: 0.2 },
  eval_steps: 9,
};

/** Steps of different numbers of examples, prompts learned as well. */
const packed = {
  sft: { packing: true, completion_only_loss: false },
  training: { ...training, batch_size: 3, max_steps: null, num_epochs: 1.8 },
};

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-exact-'));
  task = await writeTestTask(path.join(root, 'task'), { train: 100, validation: 24, limit: 20 });
});
afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 5 }));

/** Starts each life from what the ones before left, the last one uninterrupted. */
async function livesOf(
  name: string,
  { model, training, sft }: Readonly<Record<'model' | 'training' | 'sft', Record<string, unknown>>>,
  interruptions: readonly Interruption[],
): Promise<Life[]> {
  const lives: Life[] = [];
  const directory = path.join(root, name);
  const spec = testSpec(task, { method: 'sft', model, training, sft });
  for (let number = 1; number <= interruptions.length + 1; number++) {
    const resume = lives.flatMap((life) => life.candidates).sort((a, b) => b.manifest!.step - a.manifest!.step);
    const attempt = testAttempt({ spec, task, directory, attempt: number, resume });
    lives.push(await live(attempt, directory, interruptions[number - 1]));
  }
  return lives;
}

test.each([
  { kind: 'packed', ...full, ...packed, interruptions: [fence(3), terminateAt(10)], exits: [70, 0, 0] },
  { kind: 'lora', ...lora, sft: {}, training: epochs, interruptions: [fence(19)], exits: [70, 0] },
])('an SFT run ($kind) that was stopped and fenced off on its way ends with the bytes of one that was not', async (given) => {
  const { kind, files, interruptions, exits } = given;
  const whole = await livesOf(`${kind}-whole`, given, []);
  const torn = await livesOf(`${kind}-torn`, given, interruptions);
  expect([...whole, ...torn].flatMap((life) => life.errors)).toEqual([]);
  expect(whole.map((life) => life.exitCode)).toEqual([0]);
  expect(torn.map((life) => life.exitCode)).toEqual(exits);

  expect(await finalBytes(torn.at(-1)!, files)).toEqual(await finalBytes(whole[0]!, files));
  expect(measured(torn)).toEqual(measured(whole));
  const evaluated = measured(whole).evaluations.map(({ step }) => step);
  expect(evaluated).toEqual(kind === 'lora' ? [-1, 9, 18, 22] : [-1, 6, 12, 18, 22]);
  // Begun again at the very end of an epoch: the save of step 18 waits for that of step 9, so there is one of the two.
  if (kind === 'lora') expect([9, 18]).toContain(torn[0]!.candidates[0]?.manifest?.step);
  const samples = measured(whole).metrics.map((record) => record.samples);
  const perStep = new Set([...new Set(samples)].map((count, i, all) => count - (all[i - 1] ?? 0)));
  // Packed, a step has as many as fit, which differs and here is more than 6; else 12, and 4 at the end of an epoch.
  if (kind === 'packed') expect(Math.max(...perStep)).toBeGreaterThan(6);
  else expect([...perStep].sort()).toEqual([12, 4]);
  // Besides what was the best at an evaluation.
  expect(whole[0]!.manifests.map(({ step }) => step)).toContain(kind === 'lora' ? 9 : 8);
});
