import type { ModelConfig } from '../contracts/model-config.ts';

/** What decides how much a token's keys and values take. */
export type KvShape = Pick<ModelConfig, 'layers' | 'kvHeads' | 'headDim'>;

/** Tokens of a block, as in vLLM: few enough that a sequence wastes little, and enough that going from one to the next costs nothing. */
export const BLOCK_ROWS = 16;

/** Keys and values of `BLOCK_ROWS` consecutive tokens in every layer. */
export interface KvBlock {
  /** Per layer the keys, then the values, each row-major [BLOCK_ROWS, kvHeads * headDim]. */
  readonly data: Float32Array;
}

/** Memory of caches, in blocks that sequences share. It grows to its limit and gives nothing back before that is reached. */
export interface KvPool {
  readonly limitBytes: number;
  /** Of blocks that sequences use. */
  readonly usedBytes: number;
  /** Of blocks that nobody uses, kept because they can be found again. */
  readonly keptBytes: number;
  /** Of all blocks there are: used, kept and empty. */
  readonly heldBytes: number;
  /** A block with undefined content and one user. The oldest kept block makes room where there is none. @throws Error when all blocks are in use */
  take(shape: KvShape): KvBlock;
  /** Counts one more user; the block may be a kept one. */
  share(block: KvBlock): void;
  /** Counts a user out. The block of the last one is kept if it can be found again, else it is empty. */
  release(block: KvBlock): void;
  users(block: KvBlock): number;
  /** From now on the block is kept when its last user goes; `onEvicted` is told when its memory is taken after all. */
  keep(block: KvBlock, onEvicted: () => void): void;
  /** The block cannot be found any more; if nobody uses it, it is empty. */
  drop(block: KvBlock): void;
}

/** Bytes of one block. */
export function blockBytes(shape: KvShape): number {
  return blockFloats(shape) * Float32Array.BYTES_PER_ELEMENT;
}

/** Blocks that hold this many rows. */
export function blocksFor(rows: number): number {
  return Math.ceil(rows / BLOCK_ROWS);
}

function blockFloats({ layers, kvHeads, headDim }: KvShape): number {
  return layers * 2 * BLOCK_ROWS * kvHeads * headDim;
}

interface OwnBlock extends KvBlock {
  users: number;
  onEvicted: (() => void) | null;
}

/** Models of several shapes share the limit: blocks are of the same use to all models whose blocks have the same size. */
export function createKvPool(limitBytes: number): KvPool {
  const empty = new Map<number, OwnBlock[]>();
  /** In the order in which their last users went. */
  const kept = new Set<OwnBlock>();
  let heldBytes = 0;
  let usedBytes = 0;
  let keptBytes = 0;

  function take(shape: KvShape): KvBlock {
    const floats = blockFloats(shape);
    const block = empty.get(floats)?.pop() ?? fresh(floats);
    block.users = 1;
    usedBytes += block.data.byteLength;
    return block;
  }

  function fresh(floats: number): OwnBlock {
    const bytes = floats * Float32Array.BYTES_PER_ELEMENT;
    while (heldBytes + bytes > limitBytes) {
      const given = discardEmpty() ?? evictOldest();
      if (given === null) {
        throw new Error(`all ${limitBytes} bytes of the KV cache are in use: more was started than was reserved`);
      }
      if (given.data.length === floats) return given;
      heldBytes -= given.data.byteLength;
    }
    heldBytes += bytes;
    return { data: new Float32Array(floats), users: 0, onEvicted: null };
  }

  /** An empty block, of another size: those of the size asked for are taken first. */
  function discardEmpty(): OwnBlock | null {
    for (const blocks of empty.values()) {
      const block = blocks.pop();
      if (block) return block;
    }
    return null;
  }

  function evictOldest(): OwnBlock | null {
    const [oldest] = kept;
    if (oldest === undefined) return null;
    unkeep(oldest);
    oldest.onEvicted?.();
    oldest.onEvicted = null;
    return oldest;
  }

  function unkeep(block: OwnBlock): void {
    if (kept.delete(block)) keptBytes -= block.data.byteLength;
  }

  function share(shared: KvBlock): void {
    const block = shared as OwnBlock;
    unkeep(block);
    if (block.users++ === 0) usedBytes += block.data.byteLength;
  }

  function release(released: KvBlock): void {
    const block = released as OwnBlock;
    if (block.users === 0) throw new Error('a block of the KV cache was released twice');
    if (--block.users > 0) return;
    usedBytes -= block.data.byteLength;
    if (block.onEvicted === null) {
      putBack(block);
      return;
    }
    kept.add(block);
    keptBytes += block.data.byteLength;
  }

  function putBack(block: OwnBlock): void {
    const { length } = block.data;
    const blocks = empty.get(length);
    if (blocks) blocks.push(block);
    else empty.set(length, [block]);
  }

  function drop(dropped: KvBlock): void {
    const block = dropped as OwnBlock;
    block.onEvicted = null;
    if (!kept.has(block)) return;
    unkeep(block);
    putBack(block);
  }

  return {
    limitBytes,
    get usedBytes() {
      return usedBytes;
    },
    get keptBytes() {
      return keptBytes;
    },
    get heldBytes() {
      return heldBytes;
    },
    take,
    share,
    release,
    users: (block) => (block as OwnBlock).users,
    keep: (block, onEvicted) => {
      (block as OwnBlock).onEvicted = onEvicted;
    },
    drop,
  };
}
