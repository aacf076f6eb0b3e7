import type { ModelConfig } from '../../contracts/model-config.ts';

/** Memory promised to sequences before they start, so that none ever has to be thrown out half way. */
export interface KvBudget {
  readonly limitBytes: number;
  readonly reservedBytes: number;
  /** False, and nothing reserved, when it does not fit. */
  reserve(bytes: number): boolean;
  release(bytes: number): void;
}

export function createKvBudget(limitBytes: number): KvBudget {
  let reservedBytes = 0;
  return {
    limitBytes,
    get reservedBytes() {
      return reservedBytes;
    },
    reserve(bytes) {
      if (reservedBytes + bytes > limitBytes) return false;
      reservedBytes += bytes;
      return true;
    },
    release(bytes) {
      reservedBytes -= bytes;
    },
  };
}

/** Bytes the cache of one sequence takes when it has grown to `rows` tokens; caches grow by doubling. */
export function kvBytes(config: Pick<ModelConfig, 'layers' | 'kvHeads' | 'headDim'>, rows: number): number {
  const capacity = 2 ** Math.ceil(Math.log2(Math.max(rows, 32)));
  return capacity * config.layers * 2 * config.kvHeads * config.headDim * Float32Array.BYTES_PER_ELEMENT;
}
