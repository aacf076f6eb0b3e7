import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestTask, testAttempt, testSpec, writeTestTask } from '../../services/trainer/test-support/attempt.ts';
import {
  event,
  fence,
  finalBytes,
  type Interruption,
  type Life,
  live,
  measured,
  messages,
  stopAt,
} from '../../services/trainer/test-support/lives.ts';
import { expectDocumentedMetrics } from '../../services/trainer/test-support/metric-names.ts';

let root: string;
let task: TestTask;
const state = ['optimizer.pt', 'scheduler.pt', 'rng_state.json', 'model_version.txt', 'training_metadata.json'];
const model = { use_lora: true, lora: { r: 4, alpha: 8, dropout: 0.1 } };
const training = {
  ...{ batch_size: 3, gradient_accumulation_steps: 2, max_steps: 8, learning_rate: 1e-2, warmup_steps: 1 },
  ...{ eval_steps: 4, save_steps: 3, logging_steps: 4 },
};

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-dpo-'));
  task = await writeTestTask(path.join(root, 'task'), { train: 30, validation: 8, limit: 10 });
  for (const file of [task.train, task.validation]) await prefer(file);
});
afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 5 }));

/** Makes preferences of problems: the right answer rather than one that is too long. */
async function prefer(file: string): Promise<void> {
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  const pairs = lines.map((line) => {
    const { prompt, answer } = JSON.parse(line) as { prompt: string; answer: string };
    return `${JSON.stringify({ prompt, chosen: answer, rejected: `${answer}0` })}\n`;
  });
  await writeFile(file, pairs.join(''));
}

async function livesOf(name: string, interruptions: readonly Interruption[], written: object = {}): Promise<Life[]> {
  const lives: Life[] = [];
  const directory = path.join(root, name);
  const spec = testSpec(task, { method: 'dpo', model, training, ...written });
  for (let number = 1; number <= interruptions.length + 1; number++) {
    const resume = lives.flatMap((life) => life.candidates).sort((a, b) => b.manifest!.step - a.manifest!.step);
    const attempt = testAttempt({ spec, task, directory, attempt: number, resume });
    lives.push(await live(attempt, directory, interruptions[number - 1]));
  }
  return lives;
}

function metric(life: Life, name: string): number[] {
  return life.records.flatMap((record) =>
    record.kind === 'metrics' && name in record.values ? [record.values[name] as number] : [],
  );
}

test('a DPO run that was stopped and fenced off on its way ends with the bytes of one that was not, and learns', async () => {
  const whole = await livesOf('whole', []);
  const torn = await livesOf('torn', [stopAt(1), fence(5)]);
  expect([...whole, ...torn].flatMap((life) => life.errors)).toEqual([]);
  expect([...whole, ...torn].map((life) => life.exitCode)).toEqual([0, 0, 70, 0]);

  const files = ['model/adapter_model.safetensors', ...state];
  expect(await finalBytes(torn.at(-1)!, files)).toEqual(await finalBytes(whole[0]!, files));
  expect(measured(torn)).toEqual(measured(whole));

  expectDocumentedMetrics(whole[0]!.records, 'dpo');

  const { evaluations } = measured(whole);
  expect(evaluations.map(({ step }) => step)).toEqual([-1, 4, 8]);
  // Before training policy and reference are one: log 2, and no pair in order.
  expect(evaluations[0]).toMatchObject({ accuracy: 0, eval_loss: expect.closeTo(Math.log(2), 6), reward_margin: 0 });
  expect(metric(whole[0]!, 'train/loss')[0]).toBeCloseTo(Math.log(2), 1);
  const last = evaluations.at(-1)!;
  expect(last.accuracy).toBeGreaterThan(0.9);
  expect(last.eval_loss).toBeLessThan(0.6);
  expect(metric(whole[0]!, 'val_accuracy').at(-1)).toBe(last.accuracy);
  expect(metric(whole[0]!, 'val_reward_margin').at(-1)).toBe(last.reward_margin);
  expect(metric(whole[0]!, 'train/accuracy').at(-1)).toBeGreaterThan(0.5);
  expect(event(whole[0]!, 'best_updated')).toMatchObject({ message: expect.stringContaining('val_accuracy') });
  expect(messages(whole[0]!).some((line) => /Training step \| loss=0\.\d+ \| accuracy=/.test(line))).toBe(true);
});

test('full weights are measured against a second copy of what they began with', async () => {
  const short = { ...training, max_steps: 2, warmup_steps: 0, eval_steps: 0, run_baseline_eval: false };
  const [life] = await livesOf('ipo', [], { model: { use_lora: false }, training: short, dpo: { loss_type: 'ipo' } });
  expect(life!.errors).toEqual([]);
  // (0 - 1 / (2 beta))^2 of a policy that is its reference.
  expect(metric(life!, 'train/loss')[0]).toBeCloseTo(25, 5);
  expect(metric(life!, 'train/loss')[1]).toBeLessThan(24.9);
});
