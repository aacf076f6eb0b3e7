import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestTask, testAttempt, testSpec } from '../../services/trainer/test-support/attempt.ts';
import { writeImitatedTask } from '../../services/trainer/test-support/imitated-task.ts';
import { event, type Life, live, messages } from '../../services/trainer/test-support/lives.ts';
import { startTinyFake, type TinyFake } from '../support/fake-vllm/tiny-fake.ts';

let root: string;
let task: TestTask;
let fake: TinyFake;
const model = { max_seq_length: 64, lora: { r: 4, alpha: 8 } };

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-hand-off-'));
  task = await writeImitatedTask(root, { train: 20, validation: 5 });
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

async function trainOn(faults: Parameters<typeof startTinyFake>[0]['faults'], deadline: number): Promise<Life> {
  fake = await startTinyFake({ profile: 'shared-1', model: task.model, faults: faults ?? {} });
  const training = { batch_size: 4, max_steps: 3, learning_rate: 3e-3, eval_steps: 2, save_steps: 3 };
  const rollout = { num_rollouts: 6, concurrency: 3, max_new_tokens: 3 };
  const spec = testSpec(task, { method: 'grpo', model, training, rollout });
  const directory = await mkdtemp(path.join(root, 'run-'));
  const handOff = { mode: 'sleep', deadline } as const;
  const inferenceUrl = `${fake.origin}/v1`;
  return live(testAttempt({ spec, task, directory, inferenceUrl, handOff }), directory).finally(() => fake.close());
}
const steps = (life: Life) =>
  messages(life).flatMap((message) => /^Hand-off (\d)\/5: .* \| time=\d+\.\ds$/.exec(message)?.[1] ?? []);

test('a run on shared GPUs trains only while the server sleeps, and finishes although that loses its adapters', async () => {
  const life = await trainOn({ losesAdaptersInSleep: true }, 30);
  expect(life.errors).toEqual([]);
  expect(event(life, 'finished')).toMatchObject({ reason: 'completed' });
  // The end is no hand-over: after the last step the server is left asleep, but for a last evaluation.
  expect(steps(life).join('')).toMatch(/^(12345){2}1(2345)?$/);
  const [slept, woken] = ['POST /sleep?level=1', 'POST /wake_up'].map(
    (call) => fake.calls.filter((each) => each === call).length,
  );
  expect(slept).toBe(3);
  expect(woken).toBeGreaterThanOrEqual(2);
});

test('a server that does not go to sleep ends the attempt as one that a restart may help', async () => {
  const life = await trainOn({ ignoresSleep: true }, 1);
  expect(event(life, 'failed')).toMatchObject({ reason: 'vllm_unhealthy' });
  expect(life.exitCode).toBe(75);
});
