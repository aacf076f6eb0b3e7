import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createLora, initialLoraWeights, type LoraConfig } from './lora.ts';
import { readPeftAdapter, writePeftAdapter } from './peft.ts';
import { resolveTargetModules } from './target-modules.ts';
import { smallConfig, startKernels, temporaryDirectory } from './testing/support.ts';

const model = smallConfig();
const config: LoraConfig = { r: 3, alpha: 5, dropout: 0.1, targetModules: ['q_proj', 'down_proj'], rslora: true };

beforeAll(async () => {
  await startKernels();
});

describe('an adapter', () => {
  test('written, read and moved through the engine keeps its names, shapes and values', async () => {
    const dir = await temporaryDirectory();
    const weights = initialLoraWeights(config, model, 7);
    await writePeftAdapter(dir, { config, weights, baseModel: 'tiny' });
    const read = await readPeftAdapter(dir);
    expect(read).toEqual({ config, baseModel: 'tiny', weights });
    for (const trainable of [true, false]) {
      const adapter = createLora(read.config, model, read.weights, trainable);
      expect(adapter.export()).toEqual(weights);
      expect(adapter.scale).toBeCloseTo(5 / Math.sqrt(3), 12);
      expect(adapter.variables.map((entry) => entry.name)).toEqual(trainable ? [...weights.keys()] : []);
      adapter.dispose();
    }
    expect([...weights.keys()][0]).toBe('base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight');
    expect(weights.get('base_model.model.model.layers.1.mlp.down_proj.lora_A.weight')?.shape).toEqual([3, 72]);
  });

  test('starts with B zero and A within 1/sqrt(in), by its seed', () => {
    const weights = initialLoraWeights(config, model, 7);
    for (const [name, { shape, data }] of weights) {
      const bound = name.includes('lora_B') ? 0 : shape[1]! ** -0.5;
      expect(data.every((value) => Math.abs(value) <= bound)).toBe(true);
      if (bound > 0) expect(Math.max(...data)).toBeGreaterThan(bound * 0.8);
    }
    expect(initialLoraWeights(config, model, 7)).toEqual(weights);
    expect(initialLoraWeights(config, model, 8)).not.toEqual(weights);
  });
});

describe('an adapter the engine cannot compute is refused:', () => {
  test.each([
    [{ peft_type: 'IA3' }, /peft_type is "IA3"/],
    [{ use_dora: true }, /use_dora is true; only false/],
    [{ modules_to_save: ['lm_head'] }, /modules_to_save/],
    [{ bias: 'all' }, /bias is "all"; only "none"/],
    [{ rank_pattern: { q_proj: 8 } }, /rank_pattern/],
    [{ r: 0 }, /r must be a positive integer, got 0/],
    [{ lora_alpha: 'x' }, /lora_alpha must be positive/],
    [{ lora_dropout: 1 }, /lora_dropout must be in \[0, 1\)/],
    [{ target_modules: ['lm_head'] }, /target_modules has lm_head/],
  ])('%j', async (fields, message) => {
    const dir = await temporaryDirectory();
    await writePeftAdapter(dir, { config, weights: initialLoraWeights(config, model, 7), baseModel: 'tiny' });
    const file = path.join(dir, 'adapter_config.json');
    await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), ...fields }));
    await expect(readPeftAdapter(dir)).rejects.toThrow(message);
  });

  test('tensors that are missing, of another base model, or of no target module', () => {
    const weights = initialLoraWeights(config, model, 7);
    const fewer = new Map([...weights].slice(1));
    expect(() => createLora(config, model, fewer, false)).toThrow(/layers.0.self_attn.q_proj.lora_A.weight is missing/);
    const wider = smallConfig({ hidden_size: 64 });
    expect(() => createLora(config, wider, weights, false)).toThrow(
      /has shape \[3,48\]; the base model and r=3 need \[3,64\]/,
    );
    const narrow: LoraConfig = { ...config, targetModules: ['q_proj'] };
    expect(() => createLora(narrow, model, weights, false)).toThrow(/belongs to no target module/);
  });
});

test('target modules are the seven projections, in one order', () => {
  expect(resolveTargetModules('all-linear')).toHaveLength(7);
  expect(resolveTargetModules(['v_proj', 'q_proj'])).toEqual(['q_proj', 'v_proj']);
  expect(() => resolveTargetModules([])).toThrow(/target_modules has nothing/);
});
