import { describe, expect, test } from 'vitest';
import { checkpointFileSchema, trainingStateSchema } from './checkpoint.ts';

describe('a path inside a checkpoint', () => {
  const fits = (path: string) => checkpointFileSchema.safeParse({ path, size: 1, sha256: 'a'.repeat(64) }).success;

  test.each([
    'optimizer.pt',
    'model/adapter_model.safetensors',
    'model/..data',
    'a.b/c-d_e',
    '...',
  ])('%s is one', (path) => {
    expect(fits(path)).toBe(true);
  });

  test.each([
    '',
    '/etc/passwd',
    '..',
    '../x',
    'a/../b',
    'a/..',
    './a',
    'a/./b',
    'a\\b',
    'a b',
    'a\0',
    'a\n',
    'é',
  ])('%j is none', (path) => {
    expect(fits(path)).toBe(false);
  });
});

test('an older training state reads with 0, 0.0 and null for what it lacks, and keeps what it has besides', () => {
  expect(trainingStateSchema.parse({ global_step: 7, curriculum_stage: 'foundation' })).toMatchObject({
    global_step: 7,
    epoch: 0,
    best_metric: null,
    best_accuracy: 0,
    evals_without_improvement: 0,
    curriculum_stage: 'foundation',
  });
});
