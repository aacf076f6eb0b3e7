import { expect, test } from 'vitest';
import { grpoSpecSchema } from '../../contracts/run-spec/methods.ts';
import type { Learner } from '../learner/learner.ts';
import { grpoBatch } from './grpo-batch.ts';
import { updatePolicy } from './grpo-updates.ts';

const task = { id: 'a', prompt: [1, 2], source: 'a', messages: 1, answer: '', columns: {} };
const rollouts = [0, 1, 1].map((reward, i) => ({
  ...{ completion: [5, 6 + i], logprobs: [-1, -1], text: '', truncated: false, reward, rewards: {} },
  ...{ success: reward === 1, turns: 1, messages: 2, version: 0 },
}));

/** A policy of which each update raises every logprob by a tenth; no model is behind it. */
function fakeLearner(onUpdate: () => void) {
  const seen: { readonly update: number; readonly gradients: number }[] = [];
  let logprob = -1;
  const accumulate: Learner['accumulate'] = (batch, objective, { step }) => {
    const logprobs = new Float32Array(batch.completionTokens).fill(logprob);
    const value = objective(logprobs, new Float32Array(batch.completionTokens));
    seen.push({ update: step, gradients: value.gradLogprobs.filter((gradient) => gradient !== 0).length });
    return value;
  };
  const update = () => {
    logprob += 0.1;
    onUpdate();
    return 2;
  };
  return { seen, learner: { accumulate, update } as unknown as Learner };
}

function updates(given: {
  grpo: Record<string, unknown>;
  signal?: AbortSignal;
  onUpdate?: () => void;
  onChanging?: () => void;
  /** Told how many parts are computed. */
  onTurn?: (computed: number) => void;
}) {
  const grpo = grpoSpecSchema.parse(given.grpo);
  const { learner, seen } = fakeLearner(given.onUpdate ?? (() => {}));
  const done = updatePolicy({
    ...{
      learner,
      grpo,
      temperature: 1,
      step: 3,
      version: 2,
      learningRate: 1e-3,
      alive: () => {},
      turn: async () => given.onTurn?.(seen.length),
      changing: given.onChanging ?? (() => {}),
    },
    // One completion at a time: what is kept of the first pass has to find its place again.
    limits: { maxSequences: 1, maxTokens: 99 },
    policy: { referenceLogprobs: () => expect.unreachable('no reference is asked for') },
    batch: grpoBatch([{ task, rollouts, skipped: null }], { grpo, maxNewTokens: 4, batchSize: 1 }),
    signal: given.signal ?? new AbortController().signal,
  });
  return { done, seen };
}

test('later updates of a step are measured against the policy before the first one', async () => {
  const { done, seen } = updates({ grpo: { num_iterations: 4, epsilon_high: 0.25 } });
  const { objective, gradNorm } = await done;
  // Ratios of 1, e^0.1, e^0.2 and e^0.3; the last is beyond 1.25 for the two thirds that are good.
  const ratios = [0, 0.1, 0.2, 0.3].map(Math.exp);
  expect(objective.ratioMean).toBeCloseTo(ratios.reduce((sum, ratio) => sum + ratio, 0) / 4, 5);
  expect(objective.ratioMax).toBeCloseTo(Math.exp(0.3), 5);
  expect(objective.clipFractionHigh).toBeCloseTo(2 / 3 / 4, 6);
  expect(gradNorm).toBe(2);
  expect(seen.map(({ gradients }) => gradients)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0, 0]);
  // Each has dropout of its own, also across steps.
  expect([...new Set(seen.map(({ update }) => update))]).toEqual([9, 10, 11, 12]);
});

test('whoever goes on beside the computation gets a turn before each part of it', async () => {
  const turns: number[] = [];
  await updates({ grpo: {}, onTurn: (computed) => turns.push(computed) }).done;
  expect(turns).toEqual([0, 1, 2]);
});

test('whoever compares the policy with what is served hears of each change before it is made', async () => {
  const order: string[] = [];
  const told = { onChanging: () => order.push('changing'), onUpdate: () => order.push('changed') };
  await updates({ grpo: { num_iterations: 2 }, ...told }).done;
  expect(order).toEqual(['changing', 'changed', 'changing', 'changed']);
});

test('a stop is heard before the first update, and after it only when the step is over', async () => {
  const early = new AbortController();
  early.abort(new Error('stop'));
  await expect(updates({ grpo: {}, signal: early.signal }).done).rejects.toThrow('stop');

  const late = new AbortController();
  const { done, seen } = updates({ grpo: { num_iterations: 2 }, signal: late.signal, onUpdate: () => late.abort() });
  await done;
  expect(seen).toHaveLength(6);
});
