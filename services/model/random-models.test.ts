import path from 'node:path';
import { expect, test } from 'vitest';
import { describeRandomModels, RANDOM, randomModels } from './random-models.contract.ts';
import { readReference } from './testing/reference.ts';
import { startKernels } from './testing/support.ts';

describeRandomModels('wasm', startKernels);

test('the models have every kind of rope, file, head, padding and tie', async () => {
  const models = await Promise.all(randomModels.map((name) => readReference(path.join(RANDOM, name))));
  const kinds = (key: 'rope' | 'dtype' | 'padding' | 'tied' | 'sharded') =>
    [...new Set(models.map((model) => model[key]))].sort();
  expect(kinds('rope')).toEqual(['default', 'linear', 'llama3']);
  expect(kinds('dtype')).toEqual(['bfloat16', 'float16', 'float32']);
  expect(kinds('padding')).toEqual(['left', 'right']);
  expect(kinds('tied')).toEqual([false, true]);
  expect(kinds('sharded')).toEqual([false, true]);
});
