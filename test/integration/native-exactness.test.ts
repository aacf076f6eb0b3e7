import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findAddons } from '../../services/model/engines/find-addons.ts';
import { type TestTask, testAttempt, testSpec, writeTestTask } from '../../services/trainer/test-support/attempt.ts';
import {
  event,
  fence,
  finalBytes,
  type Interruption,
  type Life,
  live,
  measured,
  terminateAt,
} from '../../services/trainer/test-support/lives.ts';

const { cpu, cuda } = findAddons(process.env);
let root: string;
let task: TestTask;
const state = ['optimizer.pt', 'scheduler.pt', 'rng_state.json', 'model_version.txt', 'training_metadata.json'];
const training = {
  ...{ batch_size: 6, gradient_accumulation_steps: 2, max_steps: 12, learning_rate: 1e-3, lr_scheduler_type: 'cosine' },
  ...{ warmup_steps: 3, weight_decay: 0.01, eval_steps: 6, save_steps: 4, logging_steps: 5 },
};

beforeAll(async () => {
  vi.stubEnv('TANDEM_TF', 'node');
  root = await mkdtemp(path.join(tmpdir(), 'tandem-native-exact-'));
  task = await writeTestTask(path.join(root, 'task'), { train: 100, validation: 24, limit: 20 });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

/** Starts each life from what the ones before left, the last one uninterrupted. */
async function livesOf(
  name: string,
  model: Record<string, unknown>,
  interruptions: readonly Interruption[],
): Promise<Life[]> {
  const lives: Life[] = [];
  const directory = path.join(root, name);
  const spec = testSpec(task, { method: 'sft', model, training });
  for (let number = 1; number <= interruptions.length + 1; number++) {
    const resume = lives.flatMap((life) => life.candidates).sort((a, b) => b.manifest!.step - a.manifest!.step);
    const attempt = testAttempt({ spec, task, directory, attempt: number, resume });
    lives.push(await live(attempt, directory, interruptions[number - 1]));
  }
  return lives;
}

describe.skipIf(cpu === null && cuda === null)('on TensorFlow (needs ./scripts/install-tensorflow.sh)', () => {
  test.each([
    {
      kind: 'full weights',
      file: 'model/model.safetensors',
      model: { use_lora: false },
      interruption: fence(6),
      exit: 70,
    },
    {
      kind: 'LoRA',
      file: 'model/adapter_model.safetensors',
      model: { use_lora: true, lora: { r: 4, alpha: 8, dropout: 0.1 } },
      interruption: terminateAt(7),
      exit: 0,
    },
  ])('an SFT run ($kind) that was ended on its way ends with the bytes of one that was not', async ({
    kind,
    file,
    model,
    interruption,
    exit,
  }) => {
    const whole = await livesOf(`${kind}-whole`, model, []);
    const torn = await livesOf(`${kind}-torn`, model, [interruption]);
    expect([...whole, ...torn].flatMap((life) => life.errors)).toEqual([]);
    expect([...whole, ...torn].map((life) => life.exitCode)).toEqual([0, exit, 0]);
    expect(event(whole[0]!, 'started')).toMatchObject({ data: { engine: 'node' } });
    expect(await finalBytes(torn.at(-1)!, [file, ...state])).toEqual(await finalBytes(whole[0]!, [file, ...state]));
    expect(measured(torn)).toEqual(measured(whole));
  });
});
