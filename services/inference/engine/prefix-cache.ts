import type { KvCache } from '../../model/kv-cache.ts';
import { BLOCK_ROWS, type KvBlock, type KvPool } from '../../model/kv-pool.ts';
import type { ServedModel } from './served-model.ts';

/** Finds full blocks again by the weights that computed them, a salt, and all tokens up to their end. Compares tokens, not hashes: nothing collides. */
export interface PrefixCache {
  /** Follows one sequence from its beginning. The trail reads and fills `cache`, and ends with it. */
  follow(model: ServedModel, salt: string | null, cache: KvCache, tokenAt: (index: number) => number): PrefixTrail;
  /** Nothing these weights computed is found any more. */
  forget(model: ServedModel): void;
  /** Nothing computed up to now is found any more. Sequences that run keep their blocks. */
  reset(): void;
}

/** Where one sequence stands among the blocks that are known. */
export interface PrefixTrail {
  /** Names the block that the sequence fills next: two with the same name compute the same. @param rows how many the sequence will have at least */
  ahead(rows: number): string | null;
  /** Takes in known blocks, as long as they end at or before `rows`. @returns how many rows that were */
  adopt(rows: number): number;
  /** Makes the blocks known that have been filled since; those that are known already are shared from now on. */
  extend(): void;
  /** The trail of a fork of this sequence's cache. */
  fork(cache: KvCache, tokenAt: (index: number) => number): PrefixTrail;
}

/** All that one set of weights computed. */
interface Tree {
  readonly id: number;
  readonly beginning: Map<string, Node>;
  alive: boolean;
}

/** A known block and those that came after it, by their tokens. */
interface Node {
  readonly block: KvBlock;
  readonly id: number;
  readonly following: Map<string, Node>;
}

/** Where the next block is looked for: after a known one, or at the beginning under a salt. */
interface Place {
  readonly tree: Tree;
  readonly id: number;
  readonly following: Map<string, Node>;
  readonly salt: string;
  /** Blocks passed. */
  readonly depth: number;
}

export function createPrefixCache(pool: KvPool): PrefixCache {
  const trees = new Map<ServedModel, Tree>();
  let ids = 0;

  function treeOf(model: ServedModel): Tree {
    const known = trees.get(model);
    if (known) return known;
    const tree = { id: ++ids, beginning: new Map<string, Node>(), alive: true };
    trees.set(model, tree);
    return tree;
  }

  function link({ following }: Place, key: string, block: KvBlock): Node {
    const node = { block, id: ++ids, following: new Map<string, Node>() };
    following.set(key, node);
    pool.keep(block, () => void following.delete(key));
    return node;
  }

  function trailFrom(from: Place, cache: KvCache, tokenAt: (index: number) => number): PrefixTrail {
    let place = from;

    function nextKey(): string {
      let key = place.salt;
      const start = place.depth * BLOCK_ROWS;
      for (let i = start; i < start + BLOCK_ROWS; i++) key += `,${tokenAt(i)}`;
      return key;
    }

    function goTo({ id, following }: Node): void {
      place = { tree: place.tree, id, following, salt: '', depth: place.depth + 1 };
    }

    const fits = (rows: number) => place.tree.alive && (place.depth + 1) * BLOCK_ROWS <= rows;

    return {
      ahead: (rows) => (fits(rows) ? `${place.id}:${nextKey()}` : null),
      adopt(rows) {
        const before = cache.length;
        while (cache.length === place.depth * BLOCK_ROWS && fits(rows)) {
          const node = place.following.get(nextKey());
          if (node === undefined) break;
          cache.adopt(node.block);
          goTo(node);
        }
        return cache.length - before;
      },
      extend() {
        while (fits(cache.length)) {
          const key = nextKey();
          const known = place.following.get(key);
          if (known) cache.replace(place.depth, known.block);
          goTo(known ?? link(place, key, cache.blocks[place.depth]!));
        }
      },
      fork: (forked, tokenOf) => trailFrom(place, forked, tokenOf),
    };
  }

  function forget(model: ServedModel): void {
    const tree = trees.get(model);
    if (tree === undefined) return;
    trees.delete(model);
    tree.alive = false;
    const maps = [tree.beginning];
    for (let map = maps.pop(); map; map = maps.pop()) {
      for (const { block, following } of map.values()) {
        pool.drop(block);
        maps.push(following);
      }
    }
  }

  return {
    follow(model, salt, cache, tokenAt) {
      const tree = treeOf(model);
      // A quoted salt cannot be taken for tokens, nor for another salt.
      const start = {
        tree,
        id: tree.id,
        following: tree.beginning,
        salt: salt === null ? '' : JSON.stringify(salt),
        depth: 0,
      };
      return trailFrom(start, cache, tokenAt);
    },
    forget,
    reset() {
      for (const model of [...trees.keys()]) forget(model);
    },
  };
}
