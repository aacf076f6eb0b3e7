import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { goldenBase } from '../../../test/golden/hf-trainer/base.ts';
import type { ModelConfig } from '../../contracts/model-config.ts';
import { initialLoraWeights } from '../../model/lora.ts';
import { makeTinyModel, randomWeights } from '../../model/tiny-model.ts';
import type { Weights } from '../../model/weights.ts';
import { createAdamW } from '../optimizer/adamw.ts';
import { schedulerState } from '../optimizer/schedule.ts';
import { readOptimizerFile, writeOptimizerFile } from './optimizer-file.ts';
import { readCheckpoint } from './read-checkpoint.ts';
import { readWeights } from './read-weights.ts';
import { describeRestored, restoreOptimizer } from './restore.ts';
import { optimizerOptions, schedule } from './tiny-training.fixture.ts';

const golden = (name: string) => fileURLToPath(new URL(`../../../test/golden/hf-trainer/${name}`, import.meta.url));

interface Expected {
  learning_rate: number;
  parameters: Record<string, { shape: number[]; step: number; exp_avg: number; exp_avg_sq: number }>;
}

let directory: string;
let config: ModelConfig;
beforeAll(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'tandem-hf-'));
  config = await makeTinyModel(directory, goldenBase);
});
afterAll(() => rm(directory, { recursive: true }));

describe('a checkpoint that transformers saved', () => {
  test.each([
    'lora',
    'full',
  ])('of %s training is restored: weights, the step, and of each parameter what torch held', async (kind) => {
    const expected: Expected = JSON.parse(await readFile(golden(`${kind}/expected.json`), 'utf8'));
    const loaded = await readCheckpoint({ directory: golden(`${kind}/checkpoint-4`) });
    const read = await readWeights(loaded.directory, loaded.layout.weights, config);
    const weights = read.kind === 'lora' ? read.adapter.weights : read.weights;
    expect(Object.keys(expected.parameters).sort()).toEqual([...weights.keys()].sort());

    const optimizer = optimizerFor(kind === 'lora' ? loraWeights(config) : randomWeights(config, 0));
    expect(restoreOptimizer(optimizer, loaded).text).toBe('✓ Optimizer state loaded');
    for (const { name, shape, step, expAvg, expAvgSq } of optimizer.stateDict()) {
      const held = expected.parameters[name]!;
      expect({ name, shape, step }).toEqual({ name, shape: held.shape, step: held.step });
      expect(sum(expAvg), name).toBeCloseTo(held.exp_avg, 6);
      expect(sum(expAvgSq), name).toBeCloseTo(held.exp_avg_sq, 6);
    }
    expect(loaded.scheduler).toMatchObject({ lastEpoch: 4, lastLr: expect.arrayContaining([expected.learning_rate]) });
    expect(loaded.trainingState).toMatchObject({ global_step: 4, epoch: 4 / 6, last_eval_step: 4 });
  });

  test.each([
    'lora',
    'full',
  ])('of %s training lists its parameters in the order in which Tandem writes them, which is how torch finds them', async (kind) => {
    const expected: Expected = JSON.parse(await readFile(golden(`${kind}/expected.json`), 'utf8'));
    const optimizer = optimizerFor(kind === 'lora' ? loraWeights(config) : randomWeights(config, 0));
    const file = path.join(directory, `optimizer-${kind}.pt`);
    await writeOptimizerFile(file, optimizer.stateDict(), {
      ...optimizerOptions,
      scheduler: schedulerState(schedule, 0),
    });
    const written = (await readOptimizerFile(file)).map(({ name }) => name);
    expect(written).toEqual(Object.keys(expected.parameters));
  });

  test('says what of it was restored, and what is not used', async () => {
    const loaded = await readCheckpoint({ directory: golden('lora/checkpoint-4') });
    expect(describeRestored(loaded).map(({ text }) => text)).toEqual([
      '✓ Scheduler state loaded',
      '⚠ RNG state not found, random numbers follow from the seed and the global step',
      '⚠ rng_state.pth is not used: the state of generators of Python, NumPy and torch, which this trainer does not have',
      '✓ Training state loaded:',
      '  Global step: 4',
      '  Best accuracy: 0.0000',
      '  Evals without improvement: 0',
      '⚠ Data position not found, the data starts at the beginning of epoch 0',
    ]);
  });

  test('whose optimizer groups are of another model starts with a fresh optimizer', async () => {
    const loaded = await readCheckpoint({ directory: golden('full/checkpoint-4') });
    const renamed = new Map(
      [...randomWeights(config, 0)].map(([name, tensor]) => [name.replace('norm', 'scale'), tensor]),
    );
    expect(restoreOptimizer(optimizerFor(renamed), loaded).text).toContain('has 15 parameters in its first group');
  });
});

function optimizerFor(weights: Weights) {
  return createAdamW({
    ...optimizerOptions,
    parameters: [...weights].map(([name, { shape, data }]) => ({ name, shape, data })),
  });
}

function loraWeights(model: ModelConfig): Weights {
  const targetModules = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
  return initialLoraWeights({ r: 2, alpha: 4, dropout: 0, targetModules }, model, 0);
}

function sum(values: Float32Array): number {
  return values.reduce((total, value) => total + value, 0);
}
