import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { afterEach, expect, test, vi } from 'vitest';
import { ModelError } from '../contracts/model-error.ts';
import { startEngine } from './backend.ts';
import { EngineMemoryError } from './errors.ts';
import { temporaryDirectory } from './testing/support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

test('wasm is an engine that every machine has, and tfjs is on it', async () => {
  expect(await startEngine({ engine: 'wasm' })).toMatchObject({ name: 'wasm', version: expect.stringMatching(/^4\./) });
  expect(tf.getBackend()).toBe('wasm');
});

test('TANDEM_TF chooses where the caller does not', async () => {
  vi.stubEnv('TANDEM_TF', 'tpu');
  await expect(startEngine()).rejects.toThrow(ModelError);
  vi.stubEnv('TANDEM_TF', 'wasm');
  expect((await startEngine()).reason).toBe('TANDEM_TF=wasm');
});

test('a TensorFlow that does not load is passed over by auto, which says so, and is an error where it was asked for', async () => {
  const home = await temporaryDirectory();
  await mkdir(path.join(home, 'cpu'));
  await writeFile(path.join(home, 'cpu', 'tfjs_binding.node'), 'for another machine');
  vi.stubEnv('TANDEM_TENSORFLOW_HOME', home);
  vi.stubEnv('CUDA_VISIBLE_DEVICES', '');
  const warn = vi.fn();
  const { name, reason } = await startEngine({ engine: 'auto', warn });
  expect(name).toBe('wasm');
  expect(reason).toMatch(/^node did not start: TensorFlow does not load .*install-tensorflow\.sh/);
  expect(warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('so wasm computes | TensorFlow does not load'));
  await expect(startEngine({ engine: 'node', warn })).rejects.toThrow('TensorFlow does not load');
});

test('starting the engine leaves the handling of uncaught exceptions to the program', async () => {
  const before = ['uncaughtException', 'unhandledRejection'].map((event) => process.listenerCount(event));
  await startEngine();
  expect(['uncaughtException', 'unhandledRejection'].map((event) => process.listenerCount(event))).toEqual(before);
});

test('memory within the limit is granted and memory beyond it refused with the sizes', async () => {
  const engine = await startEngine();
  expect(engine.memoryLimitBytes).toBe(3.5 * 2 ** 30);
  engine.checkMemory(2 ** 20);
  const error = refusal(() => engine.checkMemory(5 * 2 ** 30));
  expect(error).toMatchObject({
    neededBytes: 5 * 2 ** 30,
    limitBytes: engine.memoryLimitBytes,
    usedBytes: engine.usedBytes(),
  });
  expect(error.message).toMatch(/needs 5120 MiB more, above its limit of 3584 MiB/);
});

test('what no tensor counts fills the memory all the same, and what is freed inside the heap can be had again', async () => {
  await startEngine();
  const heap = (tf.backend() as BackendWasm).wasm as unknown as {
    readonly HEAPU8: Uint8Array;
    _malloc(bytes: number): number;
    _free(address: number): void;
  };
  // Nobody writes there, so it costs nothing.
  const bytes = 2 * heap.HEAPU8.length;
  const address = heap._malloc(bytes);
  const engine = await startEngine({ memoryLimitBytes: heap.HEAPU8.length });
  try {
    expect(engine.usedBytes() + bytes).toBeLessThan(engine.memoryLimitBytes);
    const { usedBytes } = refusal(() => engine.checkMemory(bytes));
    expect(usedBytes + bytes).toBeGreaterThan(engine.memoryLimitBytes);
  } finally {
    heap._free(address);
  }
  expect(heap.HEAPU8.length + bytes).toBeGreaterThan(engine.memoryLimitBytes);
  engine.checkMemory(bytes);
  engine.checkMemory(bytes / 2, bytes / 2);
  refusal(() => engine.checkMemory(bytes, bytes));
});

function refusal(act: () => void): EngineMemoryError {
  try {
    act();
  } catch (error) {
    if (error instanceof EngineMemoryError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
