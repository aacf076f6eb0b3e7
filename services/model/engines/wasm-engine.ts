import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import { ModelError } from '../../contracts/model-error.ts';
import { EngineMemoryError } from '../errors.ts';
import { engineMemory } from '../kernels/heap.ts';
import type { SharedMemory } from '../kernels/threads/heap-views.ts';
import { openThreads, threadsOf } from '../kernels/threads/threads.ts';
import * as tf from '../tf.ts';
import { checkProducts } from './check-products.ts';
import type { Engine } from './engine.ts';
import { sharingMemory } from './shared-memory.ts';

/** The part of the compiled module that memory checks use; the package's types leave it out. */
interface WasmHeap {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(address: number): void;
}

/** wasm addresses 4 GiB and, past them, overwrites the first tensor without an exception: stay well below. */
const DEFAULT_LIMIT_BYTES = 3.5 * 2 ** 30;

interface WasmOptions {
  readonly reason: string;
  /** How many compute, with the main one. */
  readonly threads: number;
  readonly memoryLimitBytes?: number | undefined;
}

/**
 * Starts tfjs on its wasm backend, once per process; later calls give the same engine with their own memory limit and threads.
 * @throws ModelError `engine_unavailable` when it does not start, or multiplies wrongly.
 */
export async function startWasmEngine({
  reason,
  threads,
  memoryLimitBytes = DEFAULT_LIMIT_BYTES,
}: WasmOptions): Promise<Engine> {
  const backend = await startWasm();
  checkProducts('wasm', { rowsAlone: true });
  const memory = engineMemory() as SharedMemory;
  if (!(memory.buffer instanceof SharedArrayBuffer)) {
    throw new ModelError(
      'engine_unavailable',
      'tfjs was on its wasm backend before, with a memory of its own alone: leave it to startEngine',
    );
  }
  if (threadsOf(memory).count !== threads) openThreads(memory, threads);
  return createEngine(backend, reason, memoryLimitBytes);
}

async function startWasm(): Promise<BackendWasm> {
  if (tf.getBackend() !== 'wasm') {
    const require = createRequire(import.meta.url);
    const entry = require.resolve('@tensorflow/tfjs-backend-wasm');
    const { setWasmPaths } = require(entry) as typeof import('@tensorflow/tfjs-backend-wasm');
    const directory = path.dirname(entry);
    setWasmPaths(`${directory}${path.sep}`);
    const modules = modulesIn(directory);
    const isEngine = (code: Uint8Array) => modules.some((module) => module.equals(code));
    // A failed start leaves tfjs on its pure JavaScript backend, 30 times slower, without an exception.
    const started = await withoutProcessListeners(() => sharingMemory(isEngine, () => tf.setBackend('wasm')));
    if (!started || tf.getBackend() !== 'wasm') {
      throw new ModelError('engine_unavailable', `tfjs did not start its wasm backend; it is on ${tf.getBackend()}`);
    }
  }
  shareClones();
  return tf.backend() as BackendWasm;
}

/** tfjs takes the one that fits the processor. */
function modulesIn(directory: string): Buffer[] {
  const names = readdirSync(directory).filter((name) => name.endsWith('.wasm'));
  return names.map((name) => readFileSync(path.join(directory, name)));
}

/**
 * Makes a clone another name of the same values, as on tfjs's other backends: this one would copy them, and each tensor that is saved for the
 * backward pass is a clone. Tensors never change, so nobody can tell.
 */
function shareClones(): void {
  tf.unregisterKernel(tf.Identity, 'wasm');
  tf.registerKernel({
    kernelName: tf.Identity,
    backendName: 'wasm',
    kernelFunc({ inputs, backend }) {
      const { dataId, shape, dtype } = inputs['x']!;
      (backend as BackendWasm).incRef(dataId);
      return { dataId, shape, dtype };
    },
  });
}

/** The compiled module's glue rethrows every uncaught exception of the process; how those are handled is the program's affair. */
async function withoutProcessListeners(start: () => Promise<boolean>): Promise<boolean> {
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const before = events.map((event) => new Set<unknown>(process.rawListeners(event)));
  try {
    return await start();
  } finally {
    for (const [i, event] of events.entries()) {
      for (const listener of process.rawListeners(event)) {
        if (!before[i]!.has(listener)) process.removeListener(event, listener as () => void);
      }
    }
  }
}

function createEngine(backend: BackendWasm, reason: string, memoryLimitBytes: number): Engine {
  const heap = backend.wasm as unknown as WasmHeap;
  const usedBytes = () => tf.memory().numBytes;
  return {
    name: 'wasm',
    version: tf.version['tfjs'] ?? 'unknown',
    reason,
    memoryLimitBytes,
    usedBytes,
    checkMemory(...blocks) {
      const heapBytes = heap.HEAPU8.length;
      const neededBytes = blocks.reduce((sum, bytes) => sum + bytes, 0);
      if (heapBytes + neededBytes <= memoryLimitBytes || fits(heap, blocks, memoryLimitBytes)) return;
      const tensors = Math.min(usedBytes(), heapBytes);
      // Of what is beside tensors (copies in the engine's own order, gaps) there is no count.
      const all = tensors + neededBytes > memoryLimitBytes ? tensors : Math.min(heapBytes, memoryLimitBytes);
      throw new EngineMemoryError({ usedBytes: all, neededBytes, limitBytes: memoryLimitBytes });
    },
  };
}

/**
 * Whether blocks would all lie below the limit. Asks the allocator itself, since it alone knows what is free inside the heap, which never shrinks:
 * the heap's size, and any count of tensors, would refuse what fits or let through what does not.
 */
function fits(heap: WasmHeap, blocks: readonly number[], limitBytes: number): boolean {
  if (blocks.reduce((sum, bytes) => sum + bytes, 0) > limitBytes) return false;
  const taken: number[] = [];
  try {
    return blocks.every((bytes) => {
      // Addresses come as signed numbers.
      const address = heap._malloc(bytes) >>> 0;
      if (address === 0) return false;
      taken.push(address);
      return address + bytes <= limitBytes;
    });
  } finally {
    for (const address of taken) heap._free(address);
  }
}
