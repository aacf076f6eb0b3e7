import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestTask, testAttempt, testSpec } from '../../services/trainer/test-support/attempt.ts';
import { type EmbeddedServer, startEmbeddedServer } from '../../services/trainer/test-support/embedded-server.ts';
import { writeImitatedTask } from '../../services/trainer/test-support/imitated-task.ts';
import { live } from '../../services/trainer/test-support/lives.ts';

/*
 * Whole runs in this process, of which every step, save and evaluation must leave the engine with the tensors it found. 1,000 steps with --full.
 */
const STEPS = process.env['TANDEM_TEST_FULL'] === '1' ? 1000 : 30;

let root: string;
let task: TestTask;
let server: EmbeddedServer;

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-steady-'));
  task = await writeImitatedTask(root, { train: 20, validation: 4 });
  await prefer(task.train);
  await prefer(task.validation);
  server = await startEmbeddedServer({
    ...{ model: task.model, adaptersRoot: path.join(root, 'run', 'adapters'), directory: root },
  });
});
afterAll(async () => {
  await server?.kill();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

/** Adds what DPO reads: the right answer rather than one that is too long. */
async function prefer(file: string): Promise<void> {
  const rows = (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { answer: string });
  const pairs = rows.map((row) => `${JSON.stringify({ ...row, chosen: row.answer, rejected: `${row.answer}0` })}\n`);
  await writeFile(file, pairs.join(''));
}

const lora = { max_seq_length: 64, use_lora: true, lora: { r: 4, alpha: 8, dropout: 0.1 } };
const full = { max_seq_length: 64, use_lora: false };

test.each<[method: string, variant: string, written: Record<string, unknown>]>([
  ['sft', 'LoRA with dropout', { model: lora }],
  [
    'sft',
    'QLoRA, layers computed again',
    { model: { ...lora, use_4bit: true }, training: { gradient_checkpointing: true } },
  ],
  ['dpo', 'full weights and a copy of them', { model: full }],
  ['grpo', 'LoRA with a KL term', { model: lora, grpo: { kl_coef: 0.02 } }],
])(`%s (%s): the engine has as many tensors after ${STEPS} steps as after the third`, async (method, variant, written) => {
  const training = {
    ...{ batch_size: 2, gradient_accumulation_steps: 2, max_steps: STEPS, learning_rate: 1e-4 },
    ...{ eval_steps: STEPS / 10, save_steps: STEPS / 5, logging_steps: STEPS / 5 },
  };
  const rollout = { num_rollouts: 4, concurrency: 4, max_new_tokens: 3 };
  const spec = testSpec(task, {
    ...written,
    method,
    rollout,
    training: { ...training, ...(written['training'] as object) },
  });
  const given = testAttempt({
    spec,
    task,
    directory: path.join(root, 'run'),
    ...(method === 'grpo' && { inferenceUrl: server.url }),
  });

  const held: { step: number; tensors: number; bytes: number }[] = [];
  const rss: number[] = [];
  const life = await live(given, path.join(root, `${method}-${variant}`), (plane) => {
    // Whenever anything is awaited no step is half-way through the engine, so what there is is what stays.
    plane.onRecord(({ kind, ...record }) => {
      if (kind !== 'metrics' || !('step' in record)) return;
      const { numTensors, numBytes } = tf.memory();
      held.push({ step: record.step as number, tensors: numTensors, bytes: numBytes });
      rss.push(process.memoryUsage.rss() / 2 ** 20);
    });
  });
  expect([life.exitCode, life.errors]).toEqual([0, []]);
  const [third, last] = [held.find(({ step }) => step === 3)!, held.at(-1)!];
  const mib = [rss[Math.floor(rss.length / 10)], rss.at(-1)].map((value) => Math.round(value!));
  process.stdout.write(
    `| ${method}, ${variant} | ${third.tensors} | ${last.tensors} | ${third.bytes} | ${last.bytes} | ${mib.join(' | ')} |\n`,
  );
  expect(last.step).toBe(STEPS);
  expect(
    new Set(held.filter(({ step }) => step >= 3).map(({ tensors, bytes }) => `${tensors} tensors, ${bytes} bytes`))
      .size,
  ).toBe(1);
});
