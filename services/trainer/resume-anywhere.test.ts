import { expect, test } from 'vitest';
import { type TrainingState, trainingStateSchema } from '../contracts/checkpoint.ts';
import { resolveRunSpec } from '../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../contracts/run-spec.ts';
import { uniform } from '../model/random.ts';
import { endingOf, evaluationDue, savePurposes } from './cadence.ts';
import { createDataOrder, epochsDone } from './data/data-order.ts';
import { learningRateAt, planSchedule } from './optimizer/schedule.ts';

/*
 * The loop of every method without its model: what is learned at which rate, evaluated and saved, as functions of the state. Lives end at
 * any step, with or without saving, and the next one starts from the newest checkpoint.
 */

interface Plan {
  readonly training: RunSpec['training'];
  readonly examples: number;
  readonly perStep: number;
  readonly seed: number;
}
interface Step {
  readonly indices: readonly number[];
  readonly rate: number;
}
interface Told {
  /** By step, so that what a later life does again must be the same. */
  readonly steps: Map<number, Step>;
  readonly evaluated: Map<number, number>;
  readonly saved: Set<number>;
}

function plan(seed: number): Plan {
  const pick = (at: number, from: number, to: number) => from + Math.floor(uniform(seed, at) * (to - from + 1));
  const one = <T>(at: number, values: readonly T[]): T => values[pick(at, 0, values.length - 1)]!;
  const examples = pick(1, 1, 40);
  const written = {
    batch_size: pick(2, 1, 9),
    gradient_accumulation_steps: pick(3, 1, 3),
    num_epochs: one(4, [0.3, 1, 1.5, 2, 3.25]),
    max_steps: one(5, [null, null, 7, 25]),
    save_strategy: one(6, ['steps', 'epoch']),
    save_steps: pick(7, 1, 9),
    eval_steps: pick(8, 0, 7),
    lr_scheduler_type: one(9, ['constant', 'linear', 'cosine']),
    warmup_ratio: one(10, [null, 0.1, 0.5]),
  };
  const resolved = resolveRunSpec({ method: one(11, ['sft', 'dpo', 'grpo']), model: { name: 'm' }, training: written });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const { training } = resolved.spec;
  return { training, examples, seed, perStep: training.batch_size * training.gradient_accumulation_steps };
}

/** @param end step at which this life ends: killed, or asked to stop, which saves. Null: it lives to the end of training. */
function live(
  { training, examples, perStep, seed }: Plan,
  from: TrainingState | null,
  end: { readonly step: number; readonly saves: boolean } | null,
  told: Told,
): TrainingState | null {
  const state = structuredClone(from ?? trainingStateSchema.parse({}));
  const order = createDataOrder({ size: examples, seed, shuffle: true });
  const schedule = planSchedule(training, { examples, perStep });
  let newest = from;
  for (;;) {
    if (evaluationDue(state, training, schedule.totalSteps)) {
      told.evaluated.set(state.global_step, (told.evaluated.get(state.global_step) ?? 0) + 1);
      state.last_eval_step = state.global_step;
    }
    const ending = endingOf(state, training, schedule.totalSteps);
    const stops = end !== null && state.global_step >= end.step;
    const purposes = savePurposes(state, training, {
      lastSavedStep: newest?.global_step ?? null,
      improved: false,
      ending: ending !== null,
      requested: stops && end.saves,
    });
    if (purposes.length > 0 && !(stops && !end.saves)) {
      newest = structuredClone(state);
      told.saved.add(state.global_step);
    }
    if (ending !== null || stops) return newest;
    const { indices, next } = order.take(state.data_position, perStep);
    const step = { indices: [...indices], rate: learningRateAt(schedule, state.global_step) };
    const before = told.steps.get(state.global_step);
    if (before !== undefined) expect(step).toEqual(before);
    told.steps.set(state.global_step, step);
    state.global_step += 1;
    state.data_position = next;
  }
}

const nothing = (): Told => ({ steps: new Map(), evaluated: new Map(), saved: new Set() });

test.each(
  Array.from({ length: 150 }, (_, seed) => seed),
)('plan %i gives the same whenever it is interrupted', (seed) => {
  const given = plan(seed);
  const whole = nothing();
  const final = live(given, null, null, whole)!;

  const torn = nothing();
  let from: TrainingState | null = null;
  for (let life = 0; life < 6; life++) {
    const step = Math.floor(uniform(seed, 100 + life) * (final.global_step + 1));
    from = live(given, from, { step, saves: uniform(seed, 200 + life) < 0.5 }, torn);
  }
  expect(live(given, from, null, torn)).toEqual(final);
  expect(torn.steps).toEqual(whole.steps);
  expect([...torn.evaluated.keys()].sort()).toEqual([...whole.evaluated.keys()].sort());
  expect([...whole.saved].every((step) => torn.saved.has(step))).toBe(true);
  expect([...whole.evaluated.values()].every((times) => times === 1)).toBe(true);
});

test.each(Array.from({ length: 50 }, (_, seed) => seed))('plan %i skips no example and no epoch', (seed) => {
  const given = plan(seed);
  const told = nothing();
  const final = live(given, null, null, told)!;
  const seen = [...told.steps.values()].flatMap(({ indices }) => indices);
  for (let start = 0; start < seen.length; start += given.examples) {
    const epoch = seen.slice(start, start + given.examples);
    expect(new Set(epoch).size).toBe(epoch.length);
  }
  expect(epochsDone(final.data_position, given.examples)).toBeCloseTo(seen.length / given.examples, 12);
  const { num_epochs: epochs, max_steps: most } = given.training;
  if (most === null) expect(seen.length).toBeGreaterThanOrEqual(Math.min(1, epochs) * given.examples - 1e-9);
});
