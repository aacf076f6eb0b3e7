import { expect, test } from 'vitest';
import { fillNormal } from '../../model/random.ts';
import { createUpdate, type Scalars, type Updated } from './adamw-update.ts';

test.each([
  [0.9, 5],
  [0.9, 4096],
  // More than a block, and no whole number of vectors.
  [0.9, 10_003],
  // From here on torch.lerp takes its other form.
  [0.4, 4099],
])('gives the bits of the same operations one number at a time, beta1 %d, %d values', (beta1, count) => {
  const update = createUpdate(beta1);
  const [vectors, numbers] = [stateOf(count), stateOf(count)];
  for (let step = 1; step <= 3; step++) {
    const scalars = {
      ...{ keep: 1 - 1e-4 * 0.01, beta2: 0.999, weight2: 1 - 0.999, eps: 1e-8 },
      ...{ stepSize: -(1e-4 / (1 - beta1 ** step)), correction2: Math.sqrt(1 - 0.999 ** step) },
    };
    update(vectors, scalars);
    updateNumbers(numbers, Math.fround(1 - beta1), scalars);
  }
  expect(vectors).toEqual(numbers);
});

/** With a gradient of zero among them. */
function stateOf(count: number): Updated {
  const [parameter, grad] = [0.02, 1e-3].map((deviation, i) =>
    fillNormal(new Float32Array(count), deviation, 1, i),
  ) as [Float32Array, Float32Array];
  grad[2] = 0;
  return { parameter, grad, expAvg: new Float32Array(count), expAvgSq: new Float32Array(count) };
}

/** As `torch.optim.AdamW` has it. */
function updateNumbers({ parameter, grad, expAvg, expAvgSq }: Updated, weight1: number, scalars: Scalars): void {
  const f = Math.fround;
  const { keep, beta2, weight2, stepSize, correction2, eps } = Object.fromEntries(
    Object.entries<number>(scalars as unknown as Record<string, number>).map(([name, value]) => [name, f(value)]),
  ) as unknown as Scalars;
  for (const [i, g] of grad.entries()) {
    const difference = f(g - expAvg[i]!);
    const m = weight1 < 0.5 ? f(expAvg[i]! + f(weight1 * difference)) : f(g - f(difference * f(1 - weight1)));
    const v = f(f(expAvgSq[i]! * beta2) + f(f(weight2 * g) * g));
    expAvg[i] = m;
    expAvgSq[i] = v;
    parameter[i] = f(f(parameter[i]! * keep) + f(f(stepSize * m) / f(f(f(Math.sqrt(v)) / correction2) + eps)));
  }
}
