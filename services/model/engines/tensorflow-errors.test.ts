import { expect, test } from 'vitest';
import { EngineOutOfMemory } from '../errors.ts';
import { type Binding, sayOutOfMemory } from './tensorflow-errors.ts';

function failing(message: string): Binding {
  const fail = () => {
    throw new Error(message);
  };
  const binding = {
    TF_Version: '2.21.0',
    isUsingGpuDevice: () => false,
    executeOp: fail,
    tensorDataSync: fail,
    createTensor: fail,
  };
  return sayOutOfMemory(Object.freeze(binding));
}

test('an operation that finds no memory says so in our words, and which one it was', () => {
  const binding = failing('Invalid TF_Status: 8\nMessage: OOM when allocating tensor with shape[4,4]');
  expect(() => binding.executeOp('MatMul', [], [], 1)).toThrow(EngineOutOfMemory);
  expect(() => binding.executeOp('MatMul', [], [], 1)).toThrow(
    /in MatMul, or what was asked for before it: .*OOM when allocating tensor with shape/s,
  );
  expect(binding.TF_Version).toBe('2.21.0');
});

test('so does reading a tensor whose operation found none', () => {
  const binding = failing('Invalid TF_Status: 8\nMessage: OOM when allocating tensor with shape[4,4]');
  expect(() => binding.tensorDataSync(1)).toThrow(EngineOutOfMemory);
  expect(() => binding.createTensor([1], 1, [1])).toThrow(EngineOutOfMemory);
});

test('other errors of TensorFlow stay what they are', () => {
  const error = failing('Invalid TF_Status: 3\nMessage: 8 rows').executeOp;
  expect(() => error('MatMul', [], [], 1)).toThrow('Invalid TF_Status: 3');
  expect(() => error('MatMul', [], [], 1)).not.toThrow(EngineOutOfMemory);
});
