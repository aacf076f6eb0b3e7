import { execFileSync } from 'node:child_process';
import { MEMORY_SHARE } from '../../contracts/native-memory.ts';
import { EngineMemoryError } from '../errors.ts';
import * as tf from '../tf.ts';
import type { Engine } from './engine.ts';
import { settle } from './settle.ts';

export type MemoryGuard = Pick<Engine, 'memoryLimitBytes' | 'checkMemory'>;

const MIB = 2 ** 20;
const QUERY_MS = 10_000;

/**
 * Guards the memory of the host, or of the container: the limit is nine tenths of what the process may still take when it starts. Beyond it Linux ends
 * the process without a word. Tensors are counted first; since clones count again, what the process really holds, with nothing under way, decides where the count says no.
 */
export function hostMemory(limitBytes = Math.floor(MEMORY_SHARE * process.availableMemory())): MemoryGuard {
  const atStart = process.memoryUsage.rss();
  return guard(limitBytes, () => {
    settle();
    return Math.min(tf.memory().numBytes, process.memoryUsage.rss() - atStart);
  });
}

/**
 * Guards the memory of a GPU against what cannot fit at all; what does not fit beside the rest TensorFlow itself refuses, by `EngineOutOfMemory`.
 * tfjs has no count of what is free there.
 */
export function gpuMemory(limitBytes = totalGpuMemory()): MemoryGuard {
  return guard(limitBytes, () => 0);
}

function guard(memoryLimitBytes: number, heldBytes: () => number): MemoryGuard {
  return {
    memoryLimitBytes,
    checkMemory(...blocks) {
      const neededBytes = blocks.reduce((sum, bytes) => sum + bytes, 0);
      if (tf.memory().numBytes + neededBytes <= memoryLimitBytes) return;
      const usedBytes = heldBytes();
      if (usedBytes + neededBytes <= memoryLimitBytes) return;
      throw new EngineMemoryError({ usedBytes, neededBytes, limitBytes: memoryLimitBytes });
    },
  };
}

/** The profile's share of the first GPU that this process was given, in bytes; without an answer there is no limit but TensorFlow's. */
function totalGpuMemory(): number {
  const visible = process.env['CUDA_VISIBLE_DEVICES']?.split(',')[0];
  const one = visible ? ['--id', visible] : [];
  try {
    const query = ['--query-gpu=memory.total', '--format=csv,noheader,nounits', ...one];
    const answer = execFileSync('nvidia-smi', query, {
      encoding: 'utf8',
      timeout: QUERY_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const mebibytes = Number.parseInt(answer, 10);
    const share = Number(process.env['TANDEM_GPU_MEMORY_UTILIZATION']) || MEMORY_SHARE;
    return mebibytes > 0 ? Math.floor(share * mebibytes * MIB) : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
