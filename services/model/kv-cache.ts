import type { CachedKeys } from './kernels/kernels.ts';
import { BLOCK_ROWS, type KvBlock, type KvPool, type KvShape } from './kv-pool.ts';

/** Keys and values of one sequence, for every layer, in blocks of a pool. Whoever made it releases it. */
export interface KvCache {
  /** Rows that are complete in every layer. */
  readonly length: number;
  /** The blocks that hold its rows, in order; the last may be full in part. */
  readonly blocks: readonly KvBlock[];
  /** Adds `count` rows of one layer after `length`; `advance` makes them count once every layer has them. */
  append(layer: number, from: { keys: Float32Array; values: Float32Array; start: number; count: number }): void;
  advance(count: number): void;
  layer(index: number): CachedKeys;
  /** A cache that goes on from here on its own. All blocks are shared; whoever first writes into a shared one gets a copy of it. */
  fork(): KvCache;
  /** Takes in a full block that another sequence computed for the same tokens. Only where this one's rows end with a block. */
  adopt(block: KvBlock): void;
  /** Uses another block with the same content in place of its own. */
  replace(index: number, block: KvBlock): void;
  /** Gives the blocks back, the last first: what can be found again is then given up from its end. */
  release(): void;
}

/** An empty cache. */
export function createKvCache(pool: KvPool, shape: KvShape): KvCache {
  return new PagedCache(pool, shape, [], 0);
}

class PagedCache implements KvCache {
  readonly #pool: KvPool;
  readonly #shape: KvShape;
  readonly #width: number;
  readonly #blocks: KvBlock[];
  /** The data of `#blocks`, which is what attention reads. */
  readonly #data: Float32Array[];
  readonly #layers: readonly CachedKeys[];
  #length: number;

  constructor(pool: KvPool, shape: KvShape, blocks: KvBlock[], length: number) {
    this.#pool = pool;
    this.#shape = shape;
    this.#width = shape.kvHeads * shape.headDim;
    this.#blocks = blocks;
    this.#data = blocks.map(({ data }) => data);
    this.#layers = Array.from({ length: shape.layers }, (_, layer) => layerOf(this.#data, layer, this.#width));
    this.#length = length;
  }

  get length(): number {
    return this.#length;
  }

  get blocks(): readonly KvBlock[] {
    return this.#blocks;
  }

  append(layer: number, from: { keys: Float32Array; values: Float32Array; start: number; count: number }): void {
    this.#makeRoom(from.count);
    const { keysAt, valuesAt } = this.#layers[layer]!;
    const width = this.#width;
    for (let done = 0; done < from.count; ) {
      const [index, row] = placeOf(this.#length + done);
      const rows = Math.min(BLOCK_ROWS - row, from.count - done);
      const [begin, end] = [(from.start + done) * width, (from.start + done + rows) * width];
      this.#data[index]!.set(from.keys.subarray(begin, end), keysAt + row * width);
      this.#data[index]!.set(from.values.subarray(begin, end), valuesAt + row * width);
      done += rows;
    }
  }

  advance(count: number): void {
    this.#length += count;
  }

  layer(index: number): CachedKeys {
    return this.#layers[index]!;
  }

  fork(): KvCache {
    const shared = this.#blocks.slice(0, Math.ceil(this.#length / BLOCK_ROWS));
    for (const block of shared) this.#pool.share(block);
    return new PagedCache(this.#pool, this.#shape, shared, this.#length);
  }

  adopt(block: KvBlock): void {
    const [index] = placeOf(this.#length);
    // A pass that ran out of memory may have left a block that counts no row yet.
    if (index < this.#blocks.length) this.replace(index, block);
    else {
      this.#pool.share(block);
      this.#set(index, block);
    }
    this.#length += BLOCK_ROWS;
  }

  replace(index: number, block: KvBlock): void {
    this.#pool.share(block);
    this.#pool.release(this.#blocks[index]!);
    this.#set(index, block);
  }

  release(): void {
    for (const block of this.#blocks.reverse()) this.#pool.release(block);
    this.#blocks.length = 0;
    this.#data.length = 0;
    this.#length = 0;
  }

  /** Blocks for `count` more rows, none of them shared where it is written to. */
  #makeRoom(count: number): void {
    const [first, row] = placeOf(this.#length);
    const held = this.#blocks[first];
    if (row > 0 && held && this.#pool.users(held) > 1) {
      const copy = this.#pool.take(this.#shape);
      copy.data.set(held.data);
      this.#pool.release(held);
      this.#set(first, copy);
    }
    while (this.#blocks.length * BLOCK_ROWS < this.#length + count) {
      this.#set(this.#blocks.length, this.#pool.take(this.#shape));
    }
  }

  #set(index: number, block: KvBlock): void {
    this.#blocks[index] = block;
    this.#data[index] = block.data;
  }
}

function layerOf(blocks: readonly Float32Array[], layer: number, width: number): CachedKeys {
  const size = BLOCK_ROWS * width;
  return { blocks, blockRows: BLOCK_ROWS, keysAt: 2 * layer * size, valuesAt: (2 * layer + 1) * size };
}

/** Which block a row is in, and which of its rows it is. */
function placeOf(row: number): readonly [number, number] {
  return [Math.floor(row / BLOCK_ROWS), row % BLOCK_ROWS];
}
