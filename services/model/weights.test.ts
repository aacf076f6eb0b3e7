import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { writeSafetensors } from './safetensors.ts';
import { smallConfig, temporaryDirectory } from './testing/support.ts';
import { makeTinyModel, randomWeights } from './tiny-model.ts';
import { loadConfig, loadWeights, saveModel, type Weights } from './weights.ts';

describe('a saved model', () => {
  test('loads with the same weights and brings the tokenizer of its source along', async () => {
    const [source, target] = [await temporaryDirectory(), await temporaryDirectory()];
    const config = await makeTinyModel(source);
    const { json } = await loadConfig(source);
    const weights = await loadWeights(source, config);
    await saveModel(target, { configJson: json, weights, dtype: 'F32', companionsFrom: source });
    expect(await loadWeights(target, config)).toEqual(weights);
    expect((await readdir(target)).sort()).toEqual((await readdir(source)).sort());
    expect(await readFile(path.join(target, 'model.safetensors'))).toEqual(
      await readFile(path.join(source, 'model.safetensors')),
    );
  });

  test('in BF16 says so in config.json', async () => {
    const dir = await temporaryDirectory();
    const config = await makeTinyModel(dir);
    const { json } = await loadConfig(dir);
    await saveModel(dir, { configJson: json, weights: await loadWeights(dir, config), dtype: 'BF16' });
    expect((await loadConfig(dir)).config.dtype).toBe('bfloat16');
  });
});

test.each([
  'F32',
  'BF16',
  'F16',
] as const)('a model in shards of %s loads as the one in a single file', async (dtype) => {
  const [whole, sharded] = [await temporaryDirectory(), await temporaryDirectory()];
  const config = smallConfig();
  const weights = randomWeights(config, 1);
  await saveModel(whole, { configJson: {}, weights, dtype });
  const shards = [...weights].reduce<Weights[]>(
    (parts, [name, tensor], at) => parts.map((part, i) => (at % 2 === i ? new Map([...part, [name, tensor]]) : part)),
    [new Map(), new Map()],
  );
  const nameOf = (i: number) => `model-0000${i + 1}-of-00002.safetensors`;
  for (const [i, shard] of shards.entries()) await writeSafetensors(path.join(sharded, nameOf(i)), shard, { dtype });
  const map = shards.flatMap((shard, i) => [...shard.keys()].map((name) => [name, nameOf(i)]));
  const index = { metadata: { total_size: 0 }, weight_map: Object.fromEntries(map) };
  await writeFile(path.join(sharded, 'model.safetensors.index.json'), JSON.stringify(index));
  expect(await loadWeights(sharded, config)).toEqual(await loadWeights(whole, config));
});

describe('weights that do not fit the config are refused:', () => {
  const config = smallConfig();
  const whole = randomWeights(config, 1);

  test.each([
    ['a missing tensor, with its shape', without(whole, 'model.norm.weight'), /lack model.norm.weight, shape \[48\]/],
    [
      'another shape, with both',
      new Map([...whole, ['model.norm.weight', { shape: [47], data: new Float32Array(47) }]]),
      /model.norm.weight has shape \[47\], config.json expects \[48\]/,
    ],
    [
      'a tensor of another architecture',
      new Map([...whole, ['model.layers.0.self_attn.q_proj.bias', { shape: [64], data: new Float32Array(64) }]]),
      /1 tensors do not belong to a qwen3 model.*q_proj.bias/,
    ],
  ] as [string, Weights, RegExp][])('%s', async (_, weights, message) => {
    const dir = await temporaryDirectory();
    await saveModel(dir, { configJson: {}, weights, dtype: 'F32' });
    await expect(loadWeights(dir, config)).rejects.toThrow(message);
  });

  test('a directory with no weights, a shard that is absent, an index that points outside', async () => {
    const dir = await temporaryDirectory();
    await expect(loadWeights(dir, config)).rejects.toThrow(/neither model.safetensors nor/);
    await writeIndex(dir, 'model-00001-of-00001.safetensors');
    await expect(loadWeights(dir, config)).rejects.toThrow(/model-00001-of-00001.safetensors, which is not there/);
    await writeIndex(dir, '../secret.safetensors');
    await expect(loadWeights(dir, config)).rejects.toThrow(/outside the directory/);
  });
});

test('a directory without a readable config.json is refused by name', async () => {
  const dir = await temporaryDirectory();
  await expect(loadConfig(dir)).rejects.toThrow(/config.json cannot be read/);
  await writeFile(path.join(dir, 'config.json'), '{');
  await expect(loadConfig(dir)).rejects.toThrow(/config.json is not JSON/);
});

test('a tied model whose file also holds lm_head loads', async () => {
  const dir = await temporaryDirectory();
  const config = smallConfig();
  const weights = new Map([
    ...randomWeights(config, 1),
    ['lm_head.weight', { shape: [97, 48], data: new Float32Array(97 * 48) }],
  ]);
  await saveModel(dir, { configJson: {}, weights, dtype: 'F32' });
  expect((await loadWeights(dir, config)).has('lm_head.weight')).toBe(false);
});

function without(weights: Weights, name: string): Weights {
  return new Map([...weights].filter(([key]) => key !== name));
}

function writeIndex(dir: string, shard: string): Promise<void> {
  return writeFile(
    path.join(dir, 'model.safetensors.index.json'),
    JSON.stringify({ weight_map: { 'model.norm.weight': shard } }),
  );
}
