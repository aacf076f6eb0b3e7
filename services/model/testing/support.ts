import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, onTestFinished, vi } from 'vitest';
import { type ModelConfig, parseModelConfig } from '../../contracts/model-config.ts';
import { startEngine } from '../backend.ts';
import { type Decoder, loadDecoder } from '../decoder.ts';
import { engineMemory } from '../kernels/heap.ts';
import type { Kernels } from '../kernels/kernels.ts';
import type { SharedMemory } from '../kernels/threads/heap-views.ts';
import { openThreads } from '../kernels/threads/threads.ts';
import { createWasmKernels } from '../kernels/wasm-kernels.ts';
import type { WeightStorage } from '../parameter-store.ts';
import { fillNormal } from '../random.ts';
import * as tf from '../tf.ts';
import { randomWeights } from '../tiny-model.ts';
import type { WeightSource } from '../weights.ts';

/** A directory that is gone after the test. */
export async function temporaryDirectory(): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'tandem-model-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
  return dir;
}

export async function startKernels(): Promise<Kernels> {
  return createWasmKernels(await startEngine({ engine: 'wasm' }));
}

/** Has the engine compute on so many threads from now on, and waits until all are there: what is small would be done before the first of them starts. */
export async function computeOnThreads(count: number): Promise<void> {
  const threads = openThreads(engineMemory() as SharedMemory, count);
  await vi.waitFor(() => expect(threads.started()).toBe(count), { timeout: 20_000 });
}

/** A small Qwen3 with grouped heads; fields of config.json can be replaced. */
export function smallConfig(fields: Record<string, unknown> = {}): ModelConfig {
  return parseModelConfig({
    model_type: 'qwen3',
    vocab_size: 97,
    hidden_size: 48,
    intermediate_size: 72,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    head_dim: 16,
    max_position_embeddings: 256,
    tie_word_embeddings: true,
    ...fields,
  });
}

export function smallDecoder(
  kernels: Kernels,
  config: ModelConfig,
  storage: WeightStorage = 'frozen',
): Promise<Decoder> {
  return loadDecoder({ config, kernels, source: randomSource(config), storage });
}

/** Random weights, the same at every call. */
export function randomSource(config: ModelConfig): WeightSource {
  const weights = randomWeights(config, 5);
  return {
    read: async (name) => {
      const { shape, data } = weights.get(name)!;
      return { shape, data: data.slice() };
    },
  };
}

/** Normal values, the same at every run. */
export function values(count: number, seed: number): Float32Array {
  return fillNormal(new Float32Array(count), 1, seed);
}

export function matrix(rows: number, columns: number, seed: number): tf.Tensor2D {
  return tf.tensor2d(values(rows * columns, seed), [rows, columns]);
}

/** Largest difference of two arrays, relative to the largest value of the second. */
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [worst, largest] = [0, 1e-12];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= worst)) worst = difference;
    largest = Math.max(largest, Math.abs(expected[i]!));
  }
  return worst / largest;
}

/** Same bits, where 0 and -0 differ. */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

export function floats(tensor: tf.Tensor): Float32Array {
  return tensor.dataSync() as Float32Array;
}
