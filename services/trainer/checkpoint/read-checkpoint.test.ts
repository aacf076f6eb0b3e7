import { appendFile, cp, readFile, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { CheckpointFile } from '../../contracts/checkpoint.ts';
import { randomWeights } from '../../model/tiny-model.ts';
import { loadConfig } from '../../model/weights.ts';
import { schedulerState } from '../optimizer/schedule.ts';
import { readCheckpoint } from './read-checkpoint.ts';
import { readWeights } from './read-weights.ts';
import { describeRestored, restoreOptimizer } from './restore.ts';
import { loraConfig, makeTinyTraining, schedule, type TinyTraining, tinyState } from './tiny-training.fixture.ts';
import { writeCheckpoint } from './write-checkpoint.ts';

let tiny: TinyTraining;
let target: string;
beforeAll(async () => {
  tiny = await makeTinyTraining();
});
afterAll(() => tiny.remove());
beforeEach(() => {
  target = tiny.freshDirectory();
});

describe('reading a checkpoint', () => {
  test('gives back everything that was written', async () => {
    const files = await writeCheckpoint(target, tiny.snapshot());
    const loaded = await readCheckpoint({ directory: target, manifest: { files, policy_version: 9 } });
    expect(loaded).toMatchObject({
      directory: target,
      tokenizerDirectory: path.join(target, 'tokenizer'),
      scheduler: schedulerState(schedule, 40),
      rng: { seed: 7, draws: [1, null] },
      trainingState: tinyState(),
      trainingStateFound: true,
      trainingMetadata: { step: 40, accuracy: null, metrics: { loss: 0.5 }, config: { seed: 7 } },
      policyVersion: 38,
    });
    const weights = await readWeights(target, loaded.layout.weights, tiny.config);
    expect(weights).toMatchObject({
      kind: 'lora',
      adapter: { config: loraConfig, baseModel: 'tiny', weights: tiny.weights() },
    });

    const optimizer = tiny.optimizer(0);
    expect(restoreOptimizer(optimizer, loaded)).toEqual({ level: 'INFO', text: '✓ Optimizer state loaded' });
    expect(optimizer.stateDict()).toEqual(tiny.optimizer().stateDict());
    expect(describeRestored(loaded).map(({ text }) => text)).toEqual([
      '✓ Scheduler state loaded',
      '✓ RNG state loaded',
      '✓ Training state loaded:',
      '  Global step: 40',
      '  Best accuracy: 0.6500',
      '  Evals without improvement: 2',
    ]);
  });

  test('of full weights gives back every weight', async () => {
    const weights = randomWeights(tiny.config, 3);
    const { json: configJson } = await loadConfig(tiny.modelDirectory);
    const full = { ...tiny.snapshot(), weights: { kind: 'full', configJson, weights } as const };
    const files = await writeCheckpoint(target, full);
    expect(files.map((file) => file.path)).toContain('model/model.safetensors');
    const { layout } = await readCheckpoint({ directory: target, manifest: { files, policy_version: 0 } });
    expect(await readWeights(target, layout.weights, tiny.config)).toEqual({ kind: 'full', weights });
    // The folder is a model directory by itself.
    expect((await loadConfig(path.join(target, 'model'))).config).toEqual(tiny.config);
  });

  test('a missing, short, changed or linked file is named before anything is used', async () => {
    const files = await writeCheckpoint(target, tiny.snapshot());
    const damaged = async (damage: (copy: string) => Promise<void>) => {
      const copy = tiny.freshDirectory();
      await cp(target, copy, { recursive: true });
      await damage(copy);
      return readCheckpoint({ directory: copy, manifest: { files, policy_version: 0 } });
    };
    const adapter = 'model/adapter_model.safetensors';
    await expect(damaged((copy) => unlink(path.join(copy, 'scheduler.pt')))).rejects.toMatchObject({
      code: 'missing_file',
      file: expect.stringMatching(/scheduler\.pt$/),
    });
    await expect(damaged((copy) => appendFile(path.join(copy, adapter), 'x'))).rejects.toMatchObject({
      code: 'size_mismatch',
      message: expect.stringMatching(/adapter_model\.safetensors has \d+ bytes, the manifest says \d+/),
    });
    const flip = async (copy: string) => {
      const bytes = await readFile(path.join(copy, adapter));
      bytes[bytes.length - 1]! ^= 1;
      await writeFile(path.join(copy, adapter), bytes);
    };
    await expect(damaged(flip)).rejects.toMatchObject({
      code: 'hash_mismatch',
      file: expect.stringMatching(/adapter_model/),
    });
    const link = async (copy: string) => {
      await rename(path.join(copy, adapter), path.join(copy, 'elsewhere'));
      await symlink('../elsewhere', path.join(copy, adapter));
    };
    await expect(damaged(link)).rejects.toMatchObject({ code: 'missing_file' });
  });

  test('a file that the manifest does not list is not used', async () => {
    const files = await writeCheckpoint(target, tiny.snapshot());
    const listedFiles: CheckpointFile[] = files.filter((file) => file.path !== 'optimizer.pt');
    const loaded = await readCheckpoint({ directory: target, manifest: { files: listedFiles, policy_version: 0 } });
    expect(loaded.optimizer).toBeNull();
  });
});
