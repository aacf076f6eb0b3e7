import { expect, test } from 'vitest';
import { startEngine } from '../../backend.ts';
import * as tf from '../../tf.ts';
import { keptTensors } from './kept-tensors.ts';

test('what is asked for stays, what was not asked for the longest is freed', async () => {
  await startEngine({ engine: 'wasm' });
  const constant = keptTensors<tf.Tensor>(2);
  const ask = (value: number) => tf.tidy(() => constant(`${value}`, () => tf.scalar(value)));
  const before = tf.memory().numTensors;
  const hot = ask(1);
  const cold = ask(2);
  expect(ask(1)).toBe(hot);
  const newest = ask(3);
  expect([hot, cold, newest].map((tensor) => tensor.isDisposed)).toEqual([false, true, false]);
  expect(ask(2).dataSync()).toEqual(Float32Array.of(2));
  expect(tf.memory().numTensors).toBe(before + 2);
});
