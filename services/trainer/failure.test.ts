import { expect, test } from 'vitest';
import { ModelError } from '../contracts/model-error.ts';
import { EngineMemoryError, EngineOutOfMemory } from '../model/errors.ts';
import { explainFailure, TrainerError } from './failure.ts';

const diskFull = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });

test.each([
  [new TrainerError('nan_loss', 'diverged', 'lower it'), 'nan_loss', 68],
  [new EngineMemoryError({ usedBytes: 3e9, neededBytes: 1e9, limitBytes: 3.5e9 }), 'oom_host', 71],
  [new EngineOutOfMemory('MatMul', new Error('OOM on device:CPU:0')), 'oom_host', 71],
  [new EngineOutOfMemory('MatMul', new Error('OOM on device:GPU:0')), 'oom_gpu', 72],
  [new RangeError('Array buffer allocation failed'), 'oom_host', 71],
  [new ModelError('missing_tensor', 'no embedding'), 'invalid_model', 66],
  [new ModelError('engine_unavailable', 'no gpu here'), 'invalid_spec', 64],
  [diskFull, 'disk_full', 73],
  [new Error('while saving', { cause: diskFull }), 'disk_full', 73],
  [Object.assign(new Error("Cannot find package 'x'"), { code: 'ERR_MODULE_NOT_FOUND' }), 'installation_broken', 78],
  [new TypeError('x is undefined'), 'trainer_crashed', 70],
  ['a thrown string', 'trainer_crashed', 70],
] as const)('%s is %s, exit code %d', (error, reason, exitCode) => {
  const failure = explainFailure(error);
  expect(failure).toMatchObject({ reason, exitCode });
  expect(failure.remedy.length).toBeGreaterThan(5);
  expect(failure.message).not.toMatch(/\n {4}at /);
});

test.each([
  ['invalid_safetensors', 'Copy or download the weights again.'],
  ['tensor_shape', 'config.json and weights are of one model'],
  ['vocabulary_mismatch', 'Use the tokenizer that belongs to this model.'],
  ['unsupported_model', 'a supported architecture'],
] as const)('the remedy for a model with %s is its own', (code, remedy) => {
  expect(explainFailure(new ModelError(code, 'x')).remedy).toContain(remedy);
});
