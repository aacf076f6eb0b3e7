import type { ModelConfig } from '../contracts/model-config.ts';
import type { CachedKeys } from './kernels/kernels.ts';

/** Keys and values of one sequence, for every layer. */
export interface KvCache {
  /** Rows that are complete in every layer. */
  readonly length: number;
  /** Memory this cache has to itself; a fork shares its parent's until its first append. */
  readonly bytes: number;
  /** Adds `count` rows of one layer after `length`; `advance` makes them count once every layer has them. */
  append(layer: number, from: { keys: Float32Array; values: Float32Array; start: number; count: number }): void;
  advance(count: number): void;
  layer(index: number): CachedKeys;
  /** A cache that goes on from here on its own: several samples share one prompt. Copies when it first grows. */
  fork(): KvCache;
}

const FIRST_CAPACITY = 32;

/** An empty cache. Row-major [capacity, kvHeads * headDim] per layer, grown by doubling. */
export function createKvCache(config: Pick<ModelConfig, 'layers' | 'kvHeads' | 'headDim'>): KvCache {
  const width = config.kvHeads * config.headDim;
  const layers = Array.from({ length: config.layers }, () => emptyLayer());
  return new GrowingCache(width, layers, 0);
}

interface LayerBuffers extends CachedKeys {
  readonly owned: boolean;
}

class GrowingCache implements KvCache {
  readonly #width: number;
  readonly #layers: LayerBuffers[];
  #length: number;

  constructor(width: number, layers: LayerBuffers[], length: number) {
    this.#width = width;
    this.#layers = layers;
    this.#length = length;
  }

  get length(): number {
    return this.#length;
  }

  get bytes(): number {
    return this.#layers.reduce((sum, { keys, owned }) => sum + (owned ? 2 * keys.byteLength : 0), 0);
  }

  append(layer: number, from: { keys: Float32Array; values: Float32Array; start: number; count: number }): void {
    const { keys, values } = this.#roomFor(layer, this.#length + from.count);
    const [begin, end] = [from.start * this.#width, (from.start + from.count) * this.#width];
    keys.set(from.keys.subarray(begin, end), this.#length * this.#width);
    values.set(from.values.subarray(begin, end), this.#length * this.#width);
  }

  advance(count: number): void {
    this.#length += count;
  }

  layer(index: number): CachedKeys {
    return this.#layers[index]!;
  }

  fork(): KvCache {
    // The parent may go on writing in place: it only writes rows the fork does not count.
    return new GrowingCache(
      this.#width,
      this.#layers.map((layer) => ({ ...layer, owned: false })),
      this.#length,
    );
  }

  #roomFor(layer: number, rows: number): LayerBuffers {
    const held = this.#layers[layer]!;
    const capacity = held.keys.length / this.#width;
    if (held.owned && rows <= capacity) return held;
    let grown = Math.max(capacity, FIRST_CAPACITY);
    while (grown < rows) grown *= 2;
    const used = this.#length * this.#width;
    const buffers = {
      keys: new Float32Array(grown * this.#width),
      values: new Float32Array(grown * this.#width),
      owned: true,
    };
    buffers.keys.set(held.keys.subarray(0, used));
    buffers.values.set(held.values.subarray(0, used));
    this.#layers[layer] = buffers;
    return buffers;
  }
}

function emptyLayer(): LayerBuffers {
  return { keys: new Float32Array(0), values: new Float32Array(0), owned: true };
}
