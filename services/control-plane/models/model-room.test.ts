import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../../platform/logger.ts';
import { removeTree } from '../../platform/testing/remove-tree.ts';
import { createModelCache, type ModelCache } from './model-cache.ts';
import type { ModelListing } from './model-files.ts';
import { createModelRoom, type ModelUse } from './model-room.ts';

const MB = 1e6;

let root: string;
let cache: ModelCache;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tandem-room-'));
  cache = createModelCache(root);
});
afterEach(() => removeTree(root));

const listing = (name: string, megabytes = 10): ModelListing => ({
  origin: { kind: 'hub', repo: `acme/${name}`, revision: 'main', commit: name.repeat(40).slice(0, 40) },
  files: [{ path: 'model.safetensors', size: megabytes * MB, hash: null }],
  config: {},
});
const directoryOf = (name: string) => cache.directoryOf(listing(name).origin);
/** A model that is here whole, or half; what it takes is what is stated of it. */
async function put(name: string, { usedAt, half = false }: { usedAt: number; half?: boolean }): Promise<void> {
  await cache.keep(listing(name));
  const directory = `${directoryOf(name)}${half ? '.partial' : ''}`;
  mkdirSync(directory);
  writeFileSync(join(directory, half ? 'model.safetensors.part' : 'model.safetensors'), `weights of ${name}`);
  utimesSync(`${directoryOf(name)}.json`, usedAt, usedAt);
}
const isHere = (name: string) => existsSync(directoryOf(name)) || existsSync(`${directoryOf(name)}.partial`);
const open = (options: { maxMb?: number; free?: number; uses?: ModelUse[]; fetched?: string[] } = {}) =>
  createModelRoom({
    cache: { ...cache, space: async (_, [file]) => ({ needed: file?.size ?? 0, free: (options.free ?? 1e6) * MB }) },
    uses: () => options.uses ?? [],
    isFetched: (directory) => (options.fetched ?? []).map(directoryOf).includes(directory),
    maxBytes: options.maxMb === undefined ? null : options.maxMb * MB,
    log: createLogger({ level: 'error', terminal: null }),
  });
const use = (name: string, isNeeded: boolean, usedAt = 0): ModelUse => ({
  directory: directoryOf(name),
  isNeeded,
  usedAt: usedAt * 1000,
});

describe('a bound on what fetched models take', () => {
  it('removes those that were used least recently, no more than it takes, and says which', async () => {
    for (const [name, usedAt] of Object.entries({ a: 300, b: 100, c: 200, d: 400 })) await put(name, { usedAt });
    const made = await open({ maxMb: 30 }).make(listing('e'));
    expect(['a', 'b', 'c', 'd'].filter(isHere)).toEqual(['a', 'd']);
    expect(made?.message).toBe(
      'Removed to make room for acme/e at eeeeeee, since no run needs them: acme/b at bbbbbbb (10.0 MB), acme/c at ccccccc (10.0 MB)',
    );
    expect(await open({ maxMb: 30 }).make(listing('e'))).toBeNull();
    // It is known still what belonged there: a run on it goes on by that.
    expect(await cache.listing(directoryOf('b'))).toEqual(listing('b'));
  });

  it('counts a run that has ended as use, and what a fetch has left half-way as a model', async () => {
    await put('a', { usedAt: 100 });
    await put('b', { usedAt: 200 });
    await put('c', { usedAt: 50, half: true });
    await open({ maxMb: 21, uses: [use('a', false, 900)] }).make(listing('d'));
    expect(['a', 'b', 'c'].filter(isHere)).toEqual(['a']);
  });

  it('leaves what a run needs that has not ended, and what is being fetched, also beyond the bound', async () => {
    for (const name of ['a', 'b', 'c']) await put(name, { usedAt: 100 });
    await open({ maxMb: 5, uses: [use('a', true)], fetched: ['b'] }).make(listing('d'));
    expect(['a', 'b', 'c'].filter(isHere)).toEqual(['a', 'b']);
  });

  it('leaves whole what others have linked', async () => {
    await put('a', { usedAt: 100 });
    const link = join(root, 'linked.safetensors');
    linkSync(join(directoryOf('a'), 'model.safetensors'), link);
    await open({ maxMb: 10 }).make(listing('b'));
    expect(isHere('a')).toBe(false);
    expect(readFileSync(link, 'utf8')).toBe('weights of a');
  });

  it('removes again what came back while the half of a removal was left', async () => {
    await put('a', { usedAt: 100 });
    for (const left of [`${directoryOf('a')}.removed`, `${directoryOf('a')}.partial.removed`]) {
      mkdirSync(left);
      writeFileSync(join(left, 'model.safetensors'), 'left by a kill');
    }
    await open({ maxMb: 10 }).make(listing('b'));
    expect(readdirSync(dirname(directoryOf('a')))).toEqual([`${'a'.repeat(40)}.json`, 'revisions.json']);
  });

  it('is not held up by halves of removals after a start', async () => {
    await put('a', { usedAt: 100 });
    await put('b', { usedAt: 100, half: true });
    mkdirSync(`${directoryOf('a')}.removed`);
    mkdirSync(`${directoryOf('b')}.partial.removed`);
    writeFileSync(join(`${directoryOf('b')}.partial.removed`, 'model.safetensors.part'), 'left by a kill');
    await cache.sweep();
    const names = readdirSync(root, { recursive: true }).map(String);
    expect(names.filter((name) => name.endsWith('.removed'))).toEqual([]);
    expect(['a', 'b'].map(isHere)).toEqual([true, true]);
    await createModelCache(join(root, 'not there')).sweep();
  });

  it('is kept by two that come at once as by one after the other', async () => {
    for (const [name, usedAt] of Object.entries({ a: 100, b: 200 })) await put(name, { usedAt });
    for (const name of ['c', 'd']) await cache.keep(listing(name));
    const room = open({ maxMb: 30, fetched: ['c', 'd'] });
    const made = await Promise.all([room.make(listing('c')), room.make(listing('d'))]);
    expect(made.map((each) => each?.removed.map(({ label }) => label[5]))).toEqual([['a'], undefined]);
  });
});

describe('a model that does not fit on the disk', () => {
  it('is refused with what it needs and what could go, and nothing is removed', async () => {
    await put('a', { usedAt: 100 });
    await put('b', { usedAt: 50 });
    await put('c', { usedAt: 10 });
    const room = open({ free: 100, uses: [use('c', true)] });
    for (const ask of [room.check, room.make]) {
      await expect(ask(listing('d', 45))).rejects.toMatchObject({
        kind: 'disk_full',
        message: expect.stringMatching(
          /^acme\/d at ddddddd needs 45\.0 MB more in .*acme\/d, where 100\.0 MB are free; free 12\.1 MB there, or set TANDEM_HOME to a larger disk\. No run needs acme\/b at bbbbbbb \(10\.0 MB\), acme\/a at aaaaaaa \(10\.0 MB\): delete their directories, or set TANDEM_MODELS_MAX_GB$/,
        ),
      });
    }
    expect(['a', 'b', 'c'].filter(isHere)).toEqual(['a', 'b', 'c']);
  });

  it('is accepted under a bound where what nobody needs can go for it, and then that goes', async () => {
    await put('a', { usedAt: 100 });
    const room = open({ free: 100, maxMb: 1000 });
    await room.check(listing('d', 40));
    expect(isHere('a')).toBe(true);
    await expect(room.make(listing('d', 45))).rejects.toThrow('(10.0 MB): which is not enough');
    expect(isHere('a')).toBe(true);
    await room.make(listing('d', 40));
    expect(isHere('a')).toBe(false);
  });
});
