import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestTask, testAttempt, testSpec } from '../../services/trainer/test-support/attempt.ts';
import { writeImitatedTask } from '../../services/trainer/test-support/imitated-task.ts';
import { event, finalBytes, type Life, live, measured, messages } from '../../services/trainer/test-support/lives.ts';
import type { Faults } from '../support/fake-vllm/faults.ts';
import { startTinyFake, type TinyFake } from '../support/fake-vllm/tiny-fake.ts';

let root: string;
let task: TestTask;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-inference-storm-'));
  task = await writeImitatedTask(root, { train: 20, validation: 5 });
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

const storm: readonly Partial<Faults>[] = [
  { front: '503' },
  { garbles: 'an aborted choice' },
  { front: 'half a body' },
  { front: 'a reset' },
  { front: 'a page' },
  { garbles: 'swapped order' },
  { front: 'a body that breaks off' },
  { front: '429' },
  { garbles: 'another request' },
];

/** Lets the next fault strike whenever a few requests have been answered since the one before. @returns how many have struck, once it is ended */
function blow(fake: TinyFake): () => number {
  let armed = 0;
  let next = 2;
  const timer = setInterval(() => {
    const asked = fake.calls.filter((call) => call === 'POST /v1/completions').length;
    if (asked < next) return;
    next = asked + 4;
    Object.assign(fake.faults, { front: null, garbles: null, times: 1 }, storm[armed++ % storm.length]);
  }, 2);
  return () => {
    clearInterval(timer);
    return armed;
  };
}

async function train(stormy: boolean): Promise<{ life: Life; struck: number }> {
  const fake = await startTinyFake({ profile: 'split-2', model: task.model });
  const end = stormy ? blow(fake) : () => 0;
  const spec = testSpec(task, {
    ...{ method: 'grpo', model: { max_seq_length: 64, lora: { r: 4, alpha: 8 } } },
    training: { batch_size: 4, max_steps: 3, learning_rate: 3e-3, eval_steps: 2, save_steps: 3 },
    rollout: { num_rollouts: 6, concurrency: 3, max_new_tokens: 3 },
  });
  const directory = await mkdtemp(path.join(root, 'run-'));
  try {
    const life = await live(testAttempt({ spec, task, directory, inferenceUrl: `${fake.origin}/v1` }), directory);
    return { life, struck: end() };
  } finally {
    end();
    await fake.close();
  }
}

test('a run whose requests are refused, cut off, mixed up and given up learns to the bit what an undisturbed one learns', async () => {
  const [calm, rough] = [await train(false), await train(true)];
  expect(rough.life.errors).toEqual([]);
  expect(event(rough.life, 'finished')).toMatchObject({ reason: 'completed' });
  expect(rough.struck).toBeGreaterThan(storm.length);
  const retries = messages(rough.life).filter((message) =>
    /inference server (has to be found again|is busy)/.test(message),
  );
  expect(retries.length).toBeGreaterThan(3);
  expect(measured([rough.life])).toEqual(measured([calm.life]));
  const files = ['model/adapter_model.safetensors'];
  expect(await finalBytes(rough.life, files)).toEqual(await finalBytes(calm.life, files));
});
