import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { trainingStateSchema } from '../../contracts/checkpoint.ts';
import { randomWeights } from '../../model/tiny-model.ts';
import { createAdamW } from '../optimizer/adamw.ts';
import { type FloatTensor, pyDict } from './pickle-value.ts';
import { readCheckpoint } from './read-checkpoint.ts';
import { readWeights } from './read-weights.ts';
import { describeRestored, restoreOptimizer } from './restore.ts';
import { makeTinyTraining, optimizerOptions, type TinyTraining } from './tiny-training.fixture.ts';
import { writeTorchFile } from './torch-file.ts';
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

describe('a folder of other origin', () => {
  test('with adapter and tokenizer in its root starts from step 0 with a fresh optimizer, and says so', async () => {
    await writeCheckpoint(`${target}-ours`, tiny.snapshot());
    await mkdir(target);
    for (const name of ['adapter_model.safetensors', 'adapter_config.json'])
      await cp(`${target}-ours/model/${name}`, `${target}/${name}`);
    await cp(`${target}-ours/tokenizer/tokenizer.json`, `${target}/tokenizer.json`);
    const loaded = await readCheckpoint({ directory: target });
    expect(loaded).toMatchObject({
      tokenizerDirectory: target,
      policyVersion: 0,
      trainingState: trainingStateSchema.parse({}),
    });
    expect(await readWeights(target, loaded.layout.weights, tiny.config)).toMatchObject({ kind: 'lora' });
    const optimizer = tiny.optimizer(0);
    const messages = [restoreOptimizer(optimizer, loaded), ...describeRestored(loaded)];
    expect(messages.map(({ text }) => text)).toEqual([
      '⚠ Optimizer state not found, starting with fresh optimizer',
      '⚠ Scheduler state not found, the learning rate follows from the global step',
      '⚠ RNG state not found, random numbers follow from the seed and the global step',
      '⚠ Training state not found, starting from step 0',
    ]);
    expect(messages.every(({ level }) => level === 'WARNING')).toBe(true);
    expect(optimizer.stateDict()).toEqual(tiny.optimizer(0).stateDict());
  });

  test("reads absent, null and Python's own numbers in training_state.json as 0, 0.0 and null", async () => {
    await writeCheckpoint(target, tiny.snapshot());
    const state =
      '{"global_step": 12, "best_accuracy": null, "best_metric": -Infinity, "best_model_path": "a NaN \\" path", "extra": NaN}';
    await writeFile(path.join(target, 'training_state.json'), state);
    const { trainingState: read } = await readCheckpoint({ directory: target });
    expect(read).toMatchObject({
      global_step: 12,
      epoch: 0,
      best_accuracy: 0,
      best_metric: null,
      best_model_path: 'a NaN " path',
      evals_without_improvement: 0,
    });
  });

  test('with a damaged state is refused, naming the file and the field', async () => {
    await writeCheckpoint(target, tiny.snapshot());
    const state = path.join(target, 'training_state.json');
    await writeFile(state, '{"global_step": "many"}');
    await expect(readCheckpoint({ directory: target })).rejects.toThrow(`${state} has a wrong value at global_step`);
    await writeFile(state, '{"global_step": 4');
    await expect(readCheckpoint({ directory: target })).rejects.toThrow(`${state} is not JSON`);
    await writeFile(state, '[]');
    await expect(readCheckpoint({ directory: target })).rejects.toThrow(`${state} is not a JSON object`);
    await writeFile(state, '{}');
    await writeFile(path.join(target, 'model_version.txt'), 'seven');
    await expect(readCheckpoint({ directory: target })).rejects.toThrow('holds "seven"');
  });

  test('whose optimizer state is of other parameters starts with a fresh optimizer and says why', async () => {
    await writeCheckpoint(target, tiny.snapshot());
    const loaded = await readCheckpoint({ directory: target });
    const other = createAdamW({
      ...optimizerOptions,
      parameters: [{ name: 'x', shape: [1], data: new Float32Array(1) }],
    });
    const message = restoreOptimizer(other, loaded);
    expect(message.level).toBe('WARNING');
    expect(message.text).toMatch(
      /^⚠ Optimizer state does not fit, starting with fresh optimizer: .* has 4 parameters; this run trains 1$/,
    );
    const golden = fileURLToPath(new URL('../../../test/golden/trainer/torch/scheduler.pt', import.meta.url));
    await cp(golden, path.join(target, 'optimizer.pt'));
    expect(restoreOptimizer(tiny.optimizer(0), await readCheckpoint({ directory: target })).text).toContain(
      'is not the state of AdamW',
    );
  });

  test('that holds several checkpoints gives the newest', async () => {
    for (const step of [8, 40])
      await writeCheckpoint(path.join(target, `checkpoints/checkpoint-${step}`), tiny.snapshot());
    const loaded = await readCheckpoint({ directory: target });
    expect(loaded.directory).toBe(path.join(target, 'checkpoints/checkpoint-40'));
    expect(loaded.optimizer).not.toBeNull();
  });

  test('without a checkpoint is refused with what is looked for', async () => {
    await mkdir(target);
    await expect(readCheckpoint({ directory: target })).rejects.toMatchObject({ code: 'no_weights' });
    await expect(readCheckpoint({ directory: `${target}-absent` })).rejects.toMatchObject({ code: 'missing_file' });
  });

  test("with a model.pt as a script's state dict gives every weight", async () => {
    const weights = randomWeights(tiny.config, 3);
    const tensors = [...weights].map(([name, tensor]) => [`module.${name}`, { kind: 'tensor', ...tensor }] as const);
    await mkdir(target);
    const value = pyDict<FloatTensor>([['model_state_dict', pyDict<FloatTensor>(tensors)]]);
    await writeTorchFile(path.join(target, 'model.pt'), 'model', value);
    const { layout } = await readCheckpoint({ directory: target });
    expect(await readWeights(target, layout.weights, tiny.config)).toEqual({ kind: 'full', weights });
  });

  test('with a model.pt of another model is refused by the tensor that is missing', async () => {
    const golden = fileURLToPath(new URL('../../../test/golden/trainer/torch/wrapped.pt', import.meta.url));
    await mkdir(target);
    await cp(golden, path.join(target, 'model.pt'));
    const { layout } = await readCheckpoint({ directory: target });
    await expect(readWeights(target, layout.weights, tiny.config)).rejects.toThrow(
      'has no tensor model.embed_tokens.weight',
    );
  });
});
