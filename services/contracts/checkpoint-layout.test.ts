import { describe, expect, test } from 'vitest';
import { detectLayout, newestCheckpoint } from './checkpoint-layout.ts';

const training = [
  'optimizer.pt',
  'scheduler.pt',
  'rng_state.json',
  'training_state.json',
  'training_metadata.json',
  'model_version.txt',
];

describe('a checkpoint folder', () => {
  test('of ours has its parts in model/ and tokenizer/', () => {
    const files = [
      'model/adapter_model.safetensors',
      'model/adapter_config.json',
      'tokenizer/tokenizer.json',
      ...training,
    ];
    expect(detectLayout(files)).toEqual({
      weights: { format: 'peft', path: 'model' },
      optimizer: 'optimizer.pt',
      scheduler: 'scheduler.pt',
      rng: 'rng_state.json',
      trainingState: 'training_state.json',
      trainerState: null,
      trainingMetadata: 'training_metadata.json',
      policyVersion: 'model_version.txt',
      tokenizer: 'tokenizer',
    });
  });

  test('with adapter and tokenizer in its root has only what is there', () => {
    expect(
      detectLayout(['adapter_model.safetensors', 'adapter_config.json', 'tokenizer.json', 'optimizer.pt']),
    ).toEqual({
      weights: { format: 'peft', path: '' },
      optimizer: 'optimizer.pt',
      scheduler: null,
      rng: null,
      trainingState: null,
      trainerState: null,
      trainingMetadata: null,
      policyVersion: null,
      tokenizer: '',
    });
  });

  test.each([
    [['model/model.safetensors', 'model/config.json'], { format: 'safetensors', path: 'model' }],
    [['model.safetensors.index.json', 'model-00001-of-00002.safetensors'], { format: 'safetensors', path: '' }],
    [['model.pt'], { format: 'torch', path: 'model.pt' }],
    [['model/model.pt'], { format: 'torch', path: 'model/model.pt' }],
    [['pytorch_model.bin'], { format: 'torch', path: 'pytorch_model.bin' }],
    [['model.safetensors', 'adapter_model.safetensors'], { format: 'peft', path: '' }],
  ])('with %j has its weights found', (files, weights) => {
    expect(detectLayout(files)?.weights).toEqual(weights);
  });

  test('without weights is none', () => {
    expect(detectLayout(training)).toBeUndefined();
    expect(detectLayout(['checkpoint-1/model.safetensors'])).toBeUndefined();
  });
});

describe('a folder of several checkpoints', () => {
  const at = (...folders: string[]) => folders.map((folder) => `${folder}/adapter_model.safetensors`);

  test.each([
    [at('checkpoints/checkpoint-9', 'checkpoints/checkpoint-100', 'best_model'), 'checkpoints/checkpoint-100'],
    [at('checkpoint-40', 'checkpoint-8', 'final'), 'checkpoint-40'],
    [at('checkpoint-samples-640', 'checkpoint-samples-1280', 'best', 'final'), 'checkpoint-samples-1280'],
    [at('best', 'final'), 'final'],
    [at('best_model'), 'best_model'],
    [[...at('checkpoint-40'), 'checkpoint-80/optimizer.pt'], 'checkpoint-40'],
    [at('other', 'checkpoint-x', 'checkpoint-4.tmp'), undefined],
  ])('%j is continued from %s', (files, expected) => {
    expect(newestCheckpoint(files)).toBe(expected);
  });
});
