import { readdirSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Kernels } from './kernels/kernels.ts';
import { compareLong, compareWithReference, readReference } from './testing/reference.ts';
import { startKernels } from './testing/support.ts';

const RANDOM = fileURLToPath(new URL('../../test/golden/model/random', import.meta.url));
const directories = readdirSync(RANDOM, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name)
  .sort();

let kernels: Kernels;
beforeAll(async () => {
  kernels = await startKernels();
});

describe.each(directories)('%s', (name) => {
  const directory = path.join(RANDOM, name);

  test.each([
    ['all weights', 'full'],
    ['the adapter', 'lora'],
    ['the adapter on weights in 4 bits', 'qlora'],
  ] as const)('has the logits, logprobs and gradients of transformers and PEFT for %s', async (_, kind) => {
    const differences = await compareWithReference(directory, kind, kernels);
    expect(differences.logits).toBeLessThan(1e-4);
    expect(differences.logprobs).toBeLessThan(1e-4);
    expect(differences.gradients).toBeLessThan(1e-3);
  });
});

test('llama-2 has the logits of transformers after 3,100 tokens', async () => {
  expect(await compareLong(path.join(RANDOM, 'llama-2'), kernels)).toBeLessThan(1e-4);
});

test('the models have every kind of rope, file, head, padding and tie', async () => {
  const models = await Promise.all(directories.map((name) => readReference(path.join(RANDOM, name))));
  const kinds = (key: 'rope' | 'dtype' | 'padding' | 'tied' | 'sharded') =>
    [...new Set(models.map((model) => model[key]))].sort();
  expect(kinds('rope')).toEqual(['default', 'linear', 'llama3']);
  expect(kinds('dtype')).toEqual(['bfloat16', 'float16', 'float32']);
  expect(kinds('padding')).toEqual(['left', 'right']);
  expect(kinds('tied')).toEqual([false, true]);
  expect(kinds('sharded')).toEqual([false, true]);
});
