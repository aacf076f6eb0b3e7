import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { transpose } from '../../model/layout.ts';
import { createAdamW, type Parameter } from './adamw.ts';
import { clipGradNorm } from './clip.ts';

type Nested = number | Nested[];
type Named = Record<string, Nested>;
interface Golden {
  lr: number;
  betas: [number, number];
  eps: number;
  weight_decay: number;
  max_norm: number;
  start: Named;
  steps: { grads: Named; norm: number; lr: number; parameters: Named; exp_avg: Named; exp_avg_sq: Named }[];
}
const golden: Golden = JSON.parse(
  readFileSync(new URL('../../../test/golden/trainer/torch/adamw.json', import.meta.url), 'utf8'),
);
const names = Object.keys(golden.start);

describe('AdamW', () => {
  test('six clipped updates give the parameters, moments and norms of torch to float32 rounding', () => {
    const { parameters, optimizer } = start();
    for (const step of golden.steps) {
      const grads = names.map((name) => flat(step.grads[name]!));
      expect(clipGradNorm(grads, golden.max_norm)).toBeCloseTo(step.norm, 5);
      optimizer.step(grads, step.lr);
      for (const [i, { name, expAvg, expAvgSq }] of optimizer.stateDict().entries()) {
        expectClose(parameters[i]!.data, flat(step.parameters[name]!));
        expectClose(expAvg, flat(step.exp_avg[name]!));
        expectClose(expAvgSq, flat(step.exp_avg_sq[name]!));
      }
    }
  });

  test('saving and loading in the middle gives the same bits as going on', () => {
    const straight = start();
    for (const step of golden.steps) straight.optimizer.step(gradsOf(step), step.lr);

    const first = start();
    for (const step of golden.steps.slice(0, 3)) first.optimizer.step(gradsOf(step), step.lr);
    const saved = first.optimizer.stateDict();
    const resumed = start(first.parameters.map(({ data }) => data.slice()));
    resumed.optimizer.loadStateDict(saved);
    // The copy that was saved must not follow the optimizer it came from.
    first.optimizer.step(gradsOf(golden.steps[0]!), 1);
    for (const step of golden.steps.slice(3)) resumed.optimizer.step(gradsOf(step), step.lr);

    expect(resumed.parameters.map(({ data }) => data)).toEqual(straight.parameters.map(({ data }) => data));
    expect(resumed.optimizer.stateDict()).toEqual(straight.optimizer.stateDict());
  });

  test('a transposed parameter is updated alike and saved in the layout of the file', () => {
    const shape = [2, 3];
    const values = Float32Array.from([1, 2, 3, 4, 5, 6]);
    const grad = Float32Array.from([0.1, -0.2, 0.3, -0.4, 0.5, -0.6]);
    const options = { betas: [0.9, 0.999] as const, eps: 1e-8, weightDecay: 0.1 };
    const plain = { name: 'w', shape, data: values.slice() };
    const turned = { name: 'w', shape, transposed: true, data: transpose(values, 2, 3) };
    const [one, other] = [plain, turned].map((parameter) => createAdamW({ ...options, parameters: [parameter] }));
    one!.step([grad], 0.01);
    other!.step([transpose(grad, 2, 3)], 0.01);
    expect(transpose(turned.data, 3, 2)).toEqual(plain.data);
    expect(other!.stateDict()).toEqual(one!.stateDict());
    other!.loadStateDict(one!.stateDict());
    expect(other!.stateDict()).toEqual(one!.stateDict());
  });

  test('a state or gradient that does not fit is refused by name and changes nothing', () => {
    const { parameters, optimizer } = start();
    optimizer.step(gradsOf(golden.steps[0]!), 0.01);
    const before = { data: parameters.map(({ data }) => data.slice()), state: optimizer.stateDict() };
    const wrongName = before.state.map((entry, i) => (i === 2 ? { ...entry, name: 'other' } : entry));
    const wrongLength = before.state.map((entry, i) => (i === 2 ? { ...entry, expAvg: new Float32Array(9) } : entry));
    expect(() => optimizer.loadStateDict(wrongName)).toThrow('of other; the parameter is norm.weight');
    expect(() => optimizer.loadStateDict(wrongLength)).toThrow('norm.weight has 9');
    expect(() => optimizer.loadStateDict(before.state.slice(1))).toThrow('given the state of 2');
    expect(() => optimizer.step([], 0.01)).toThrow('3 parameters and was given 0 gradients');
    expect(() => optimizer.step([new Float32Array(10), new Float32Array(8), new Float32Array(4)], 0.01)).toThrow(
      'norm.weight has 4 values; the parameter has 5',
    );
    expect({ data: parameters.map(({ data }) => data), state: optimizer.stateDict() }).toEqual(before);
  });
});

function start(values = names.map((name) => flat(golden.start[name]!))) {
  const parameters: Parameter[] = names.map((name, i) => ({
    name,
    shape: shapeOf(golden.start[name]!),
    data: values[i]!,
  }));
  const { betas, eps, weight_decay: weightDecay } = golden;
  return { parameters, optimizer: createAdamW({ parameters, betas, eps, weightDecay }) };
}

function gradsOf(step: { grads: Named }): Float32Array[] {
  return names.map((name) => flat(step.grads[name]!));
}

function flat(value: Nested): Float32Array {
  return Float32Array.from([value].flat(9) as number[]);
}

function shapeOf(value: Nested): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0]!)] : [];
}

/** Within four units in the last place of the tensor's largest value: torch fuses multiplication and addition where it can. */
function expectClose(actual: Float32Array, expected: Float32Array): void {
  const tolerance = 4 * 2 ** -24 * Math.max(...expected.map(Math.abs));
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of actual.entries()) expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(tolerance);
}
