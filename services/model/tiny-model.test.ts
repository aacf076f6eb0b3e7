import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from './testing/support.ts';
import { makeTinyModel } from './tiny-model.ts';
import { loadConfig, loadWeights } from './weights.ts';

test('the tiny model is a Qwen3 of about 100,000 parameters and the same bytes for the same seed', async () => {
  const [first, second, third] = [await temporaryDirectory(), await temporaryDirectory(), await temporaryDirectory()];
  await makeTinyModel(first, { seed: 3 });
  await makeTinyModel(second, { seed: 3 });
  await makeTinyModel(third, { seed: 4 });
  const { config } = await loadConfig(first);
  expect(config).toMatchObject({
    modelType: 'qwen3',
    layers: 2,
    heads: 4,
    kvHeads: 2,
    headDim: 16,
    tieWordEmbeddings: true,
  });
  const parameters = [...(await loadWeights(first, config)).values()].reduce((sum, { data }) => sum + data.length, 0);
  expect(parameters).toBe(103_168);
  for (const name of [
    'config.json',
    'model.safetensors',
    'tokenizer.json',
    'tokenizer_config.json',
    'generation_config.json',
  ]) {
    expect(await digest(first, name)).toBe(await digest(second, name));
  }
  expect(await digest(third, 'model.safetensors')).not.toBe(await digest(first, 'model.safetensors'));
});

test('its sizes can be chosen', async () => {
  const dir = await temporaryDirectory();
  const config = await makeTinyModel(dir, {
    layers: 1,
    hidden: 24,
    heads: 3,
    kvHeads: 1,
    headDim: 10,
    intermediate: 40,
    maxPositions: 64,
  });
  expect(config).toMatchObject({
    layers: 1,
    hiddenSize: 24,
    heads: 3,
    kvHeads: 1,
    headDim: 10,
    intermediateSize: 40,
    maxPositions: 64,
  });
  expect((await loadWeights(dir, config)).get('model.layers.0.self_attn.q_proj.weight')?.shape).toEqual([30, 24]);
});

async function digest(dir: string, name: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path.join(dir, name)))
    .digest('hex');
}
