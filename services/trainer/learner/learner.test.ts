import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startEngine } from '../../model/backend.ts';
import { readPeftAdapter, writePeftAdapter } from '../../model/peft.ts';
import { fillNormal } from '../../model/random.ts';
import { makeTinyModel } from '../../model/tiny-model.ts';
import type { Weights } from '../../model/weights.ts';
import { gatherGrpoGradients } from '../methods/grpo-gradients.ts';
import { sftLoss } from '../objectives/sft-loss.ts';
import { testSpec } from '../test-support/attempt.ts';
import { completionRows } from './completion-rows.ts';
import { createLearner, type Learner } from './learner.ts';
import { type MicroBatchLimits, microBatches } from './micro-batches.ts';
import { loadPolicy, type Policy } from './policy.ts';

let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'tandem-learner-'));
  await makeTinyModel(directory, { seed: 3 });
});
afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));

const sequences = Array.from({ length: 9 }, (_, i) => ({
  prompt: Array.from({ length: 3 + (i % 4) }, (_, j) => 40 + i + j),
  completion: Array.from({ length: 1 + (i % 3) }, (_, j) => 60 + i + j),
}));
const tokens = sequences.reduce((sum, { completion }) => sum + completion.length, 0);
const oneBatch: MicroBatchLimits = { maxSequences: 99, maxTokens: 9999 };

async function policyOf(
  model: Record<string, unknown>,
  baseAdapterDirectory: string | null = null,
  training: Record<string, unknown> = {},
): Promise<Policy> {
  const task = { model: directory, train: '/t', validation: '/v' };
  const spec = testSpec(task, { method: 'sft', model, training });
  const engine = await startEngine();
  return loadPolicy({ engine, spec, modelDirectory: directory, baseAdapterDirectory, withReference: true });
}

function learnerOf(policy: Policy, eps = 1e-8): Learner {
  return createLearner({ policy, betas: [0.9, 0.999], eps, weightDecay: 0, maxGradNorm: 1, dropoutSeed: 1 });
}

function step(learner: Learner, limits: MicroBatchLimits, at = 0): number {
  let loss = 0;
  for (const part of microBatches(sequences, limits)) {
    loss += learner.accumulate(part, (logprobs) => sftLoss(logprobs, tokens), { temperature: 1, step: at }).loss;
  }
  learner.update(1e-2);
  return loss;
}

function largestDifference(from: Weights, to: Weights): number {
  let largest = 0;
  for (const [name, { data }] of from) {
    const other = to.get(name)!.data;
    for (let i = 0; i < data.length; i++) largest = Math.max(largest, Math.abs(data[i]! - other[i]!));
  }
  return largest;
}

const lora = { use_lora: true, lora: { r: 4, alpha: 8 } };

describe.each([
  ['full weights', { use_lora: false }],
  ['a LoRA adapter', lora],
])('with %s', (_name, model) => {
  test('the loss goes down and no tensor is left behind', async () => {
    const learner = learnerOf(await policyOf(model));
    const first = step(learner, oneBatch);
    const { numTensors } = tf.memory();
    let last = first;
    for (let i = 1; i < 25; i++) last = step(learner, oneBatch, i);
    expect(tf.memory().numTensors).toBe(numTensors);
    expect(last).toBeLessThan(0.5 * first);
  });

  test('how a step is divided into micro-batches changes its update by rounding at most', async () => {
    const [whole, parts] = [await policyOf(model), await policyOf(model)];
    const start = whole.trainedWeights();
    // So large an epsilon makes the update proportional to the gradient, instead of to its sign.
    step(learnerOf(whole, 1), oneBatch);
    step(learnerOf(parts, 1), { maxSequences: 2, maxTokens: 20 });
    const moved = largestDifference(start, whole.trainedWeights());
    expect(moved).toBeGreaterThan(1e-4);
    expect(largestDifference(whole.trainedWeights(), parts.trainedWeights())).toBeLessThan(1e-3 * moved);
  });

  test('giving up a step leaves nothing of it', async () => {
    const [clean, interrupted] = [await policyOf(model), await policyOf(model)];
    const learner = learnerOf(interrupted);
    const [part] = microBatches(sequences, { ...oneBatch, maxSequences: 4 });
    learner.accumulate(part!, (logprobs) => sftLoss(logprobs, tokens), { temperature: 1, step: 0 });
    learner.discard();
    step(learner, oneBatch);
    step(learnerOf(clean), oneBatch);
    expect(interrupted.trainedWeights()).toEqual(clean.trainedWeights());
  });

  test('the reference stays the model the run started from', async () => {
    const policy = await policyOf(model);
    const input = completionRows(sequences);
    const reference = () => tf.tidy(() => policy.referenceLogprobs(input, 0.7).dataSync());
    const start = tf.tidy(() => policy.tokenLogprobs(input, 0.7).logprobs.dataSync());
    expect(reference()).toEqual(start);
    step(learnerOf(policy), oneBatch);
    expect(reference()).toEqual(start);
    expect(tf.tidy(() => policy.tokenLogprobs(input, 0.7).logprobs.dataSync())).not.toEqual(start);
  });
});

test('an adapter on weights in 4 bits learns beside its reference, which is the same 4-bit model, and leaves no tensor behind', async () => {
  const [policy, exact] = [await policyOf({ ...lora, use_4bit: true }), await policyOf(lora)];
  const learner = learnerOf(policy);
  const input = completionRows(sequences);
  const reference = (of: Policy) => tf.tidy(() => of.referenceLogprobs(input, 1).dataSync());
  const start = reference(policy);
  expect(start).not.toEqual(reference(exact));
  const first = step(learner, oneBatch);
  const { numTensors } = tf.memory();
  expect(step(learner, oneBatch, 1)).toBeLessThan(first);
  expect(tf.memory().numTensors).toBe(numTensors);
  expect(reference(policy)).toEqual(start);
});

/** What a leak of one tensor in a step, however rare, would show in. */
const STEPS = process.env['TANDEM_TEST_FULL'] === '1' ? 1000 : 20;

test.each([
  ['SFT', lora, {}],
  ['SFT that computes layers again', lora, { gradient_checkpointing: true }],
  ['GRPO with a reference', { use_lora: false }, {}],
])('%s holds the number of tensors over many steps', async (method, model, training) => {
  const policy = await policyOf(model, null, training);
  const learner = learnerOf(policy);
  const batch = {
    sequences: sequences.map((sequence, i) => ({
      ...sequence,
      advantage: (i % 3) - 1,
      rolloutLogprobs: sequence.completion.map(() => -3),
      share: 1 / tokens,
    })),
    ...{ groupsKept: 3, groupsFiltered: 0, trainableTokens: tokens, totalTokens: 99, truncated: 0, overlongPenalty: 0 },
  };
  const options = { ...testSpec({ model: directory, train: '/t', validation: '/v' }, {}).grpo, kl_coef: 0.1 };
  const limits = { maxSequences: 5, maxTokens: 40 };
  const counts: number[] = [];
  for (let at = 0; at < STEPS; at++) {
    if (method.startsWith('SFT')) step(learner, limits, at);
    else {
      const { signal } = new AbortController();
      const given = {
        learner,
        policy,
        batch,
        limits,
        options,
        temperature: 1,
        oldLogprobs: null,
        update: at,
        signal,
        alive: () => {},
        turn: async () => {},
      };
      await gatherGrpoGradients(given);
      learner.update(1e-4);
    }
    counts.push(tf.memory().numTensors);
  }
  expect(new Set(counts.slice(1)).size).toBe(1);
});

test('a loss that is not a number is refused before it reaches the weights', async () => {
  const policy = await policyOf(lora);
  const learner = learnerOf(policy);
  const before = policy.trainedWeights();
  const [part] = microBatches(sequences, oneBatch);
  const objective = (logprobs: Float32Array) => ({
    loss: Number.NaN,
    gradLogprobs: new Float32Array(logprobs.length).fill(Number.NaN),
  });
  learner.accumulate(part!, objective, { temperature: 1, step: 0 });
  expect(() => learner.update(1e-2)).toThrow(expect.objectContaining({ reason: 'nan_loss' }));
  expect(policy.trainedWeights()).toEqual(before);
});

describe('the adapter of the run that is continued', () => {
  async function writeAdapter(): Promise<string> {
    const policy = await policyOf(lora);
    const weights = policy.trainedWeights();
    let index = 0;
    for (const { data } of weights.values()) fillNormal(data, 0.1, 5, index++);
    const at = mkdtempSync(path.join(directory, 'adapter-'));
    await writePeftAdapter(at, { config: policy.lora!, weights, baseModel: 'tiny' });
    return at;
  }

  test('is where training starts, and the reference', async () => {
    const at = await writeAdapter();
    const policy = await policyOf(lora, at);
    expect(policy.trainedWeights()).toEqual((await readPeftAdapter(at)).weights);
    const input = completionRows(sequences);
    const [own, reference] = tf.tidy(() => [
      policy.tokenLogprobs(input, 1).logprobs.dataSync(),
      policy.referenceLogprobs(input, 1).dataSync(),
    ]);
    expect(reference).toEqual(own);
  });

  test('is refused under other LoRA settings', async () => {
    const at = await writeAdapter();
    const other = policyOf({ use_lora: true, lora: { r: 8, alpha: 8 } }, at);
    await expect(other).rejects.toMatchObject({ reason: 'invalid_spec', message: expect.stringContaining('r is 4') });
  });

  test('is merged when the full weights are trained, which computes the same', async () => {
    const at = await writeAdapter();
    const [adapted, merged] = [await policyOf(lora, at), await policyOf({ use_lora: false }, at)];
    const input = completionRows(sequences);
    const logprobs = (policy: Policy) => tf.tidy(() => policy.tokenLogprobs(input, 1).logprobs.dataSync());
    const [a, b] = [logprobs(adapted), logprobs(merged)];
    for (const [i, value] of a.entries()) expect(b[i]).toBeCloseTo(value, 4);
  });
});
