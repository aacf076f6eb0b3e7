import { readFileSync } from 'node:fs';
import { describe, expect, it, test } from 'vitest';
import { learningRateAt, planSchedule, schedulerState } from './schedule.ts';

const golden: { lr: number; warmup_steps: number; total_steps: number; rates: Record<string, number[]> } = JSON.parse(
  readFileSync(new URL('../../../test/golden/trainer/torch/schedules.json', import.meta.url), 'utf8'),
);
interface Plan {
  readonly examples: number;
  readonly batch_size: number;
  readonly gradient_accumulation_steps: number;
  readonly num_epochs: number;
  readonly max_steps: number | null;
  /** Steps, or below 1 a share of all of them. */
  readonly warmup: number;
  readonly type: (typeof types)[number];
  readonly total_steps: number;
  readonly warmup_steps: number;
  readonly rates: readonly number[];
}
const plans: { readonly lr: number; readonly cases: readonly Plan[] } = JSON.parse(
  readFileSync(new URL('../../../test/golden/trainer/torch/plans.json', import.meta.url), 'utf8'),
);
const types = ['constant', 'linear', 'cosine'] as const;

test.each(types)('%s gives the learning rates of transformers', (type) => {
  const options = scheduleOf(type);
  const rates = golden.rates[type]!.map((_, step) => learningRateAt(options, step));
  expect(rates[0]).toBe(0);
  for (const [step, rate] of rates.entries()) expect(rate).toBeCloseTo(golden.rates[type]![step]!, 15);
});

test.each(
  plans.cases,
)('$num_epochs epochs of $examples examples are planned as the Trainer of transformers does', (plan) => {
  const { lr_scheduler_type, learning_rate } = { lr_scheduler_type: plan.type, learning_rate: plans.lr };
  const { max_steps, num_epochs } = plan;
  const warmup = plan.warmup < 1 ? { warmup_steps: null, warmup_ratio: plan.warmup } : { warmup_steps: plan.warmup };
  const options = planSchedule(
    { lr_scheduler_type, learning_rate, max_steps, num_epochs, warmup_ratio: null, ...warmup },
    { examples: plan.examples, perStep: plan.batch_size * plan.gradient_accumulation_steps },
  );
  expect(options).toMatchObject({ totalSteps: plan.total_steps, warmupSteps: plan.warmup_steps });
  for (const [step, rate] of plan.rates.entries()) expect(learningRateAt(options, step)).toBeCloseTo(rate, 15);
});

test('without warm-up the first update has the full rate', () => {
  for (const type of types) expect(learningRateAt({ ...scheduleOf(type), warmupSteps: 0 }, 0)).toBe(golden.lr);
});

test('a decayed rate stays 0 beyond the planned end', () => {
  for (const type of ['linear', 'cosine'] as const) expect(learningRateAt(scheduleOf(type), 18)).toBe(0);
});

test('the state after n updates holds the rate of the next one', () => {
  const options = scheduleOf('linear');
  expect(schedulerState(options, 5)).toEqual({
    baseLrs: [golden.lr],
    lastEpoch: 5,
    lastLr: [learningRateAt(options, 5)],
  });
});

function scheduleOf(type: (typeof types)[number]) {
  return { type, learningRate: golden.lr, warmupSteps: golden.warmup_steps, totalSteps: golden.total_steps };
}

describe('a run that goes on with num_epochs', () => {
  const training = {
    ...{ lr_scheduler_type: 'linear' as const, learning_rate: 1, max_steps: null },
    ...{ warmup_steps: 0, warmup_ratio: null },
  };
  const total = (
    num_epochs: number,
    examples: number,
    perStep: number,
    from?: Parameters<typeof planSchedule>[1]['from'],
  ) => planSchedule({ ...training, num_epochs }, { examples, perStep, ...(from && { from }) }).totalSteps;

  it.each([
    [1, 10, 4],
    [3, 10, 4],
    [2.5, 10, 4],
    [2, 12, 4],
  ])('%d epochs of %d in steps of %d: has as many steps from wherever it goes on', (epochs, examples, perStep) => {
    const whole = total(epochs, examples, perStep);
    const position = { epoch: 0, offset: 0 };
    for (let step = 0; step <= whole; step++) {
      expect(total(epochs, examples, perStep, { step, position })).toBe(whole);
      position.offset += perStep;
      if (position.offset >= examples) Object.assign(position, { epoch: position.epoch + 1, offset: 0 });
    }
  });

  it('sees the rest of the data in other batches, and all of other data', () => {
    // 8 of 10 in steps of 4, then the last 2 and another epoch in steps of 1.
    expect(total(2, 10, 1, { step: 2, position: { epoch: 0, offset: 8 } })).toBe(2 + 2 + 10);
    expect(total(2, 10, 10, { step: 2, position: { epoch: 0, offset: 8 } })).toBe(2 + 1 + 1);
    expect(total(1, 6, 2, { step: 50, position: { epoch: 0, offset: 0 } })).toBe(50 + 3);
    // Less than what is done: whoever asks for it is told.
    expect(total(1, 10, 4, { step: 6, position: { epoch: 2, offset: 0 } })).toBe(3);
  });
});
