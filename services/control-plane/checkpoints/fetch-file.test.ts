import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openFileStore } from '../../platform/file-store.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { openMemoryStore } from '../../platform/testing/memory-store.ts';
import { createSlots } from '../../platform/transfer/slots.ts';
import { fetchFile } from './fetch-file.ts';

/** Memory as a directory: on Linux another file system than any other directory. */
const MEMORY = '/dev/shm';
const canCopy = existsSync(MEMORY) && statSync(MEMORY).dev !== statSync(tmpdir()).dev;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-fetch-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const bytes = Buffer.from('weights '.repeat(1000));
const file = { path: 'model/w.bin', size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
const options = { signal: new AbortController().signal, slots: createSlots(2) };
const to = () => join(directory, 'tree/model/w.bin');

describe('fetchFile', () => {
  it('links where the store is a directory on the same file system', async () => {
    const store = openFileStore(join(directory, 'objects'));
    await store.put('a/w.bin', bytes);
    await fetchFile(store, 'a/w.bin', file, to(), options);
    expect(statSync(to()).ino).toBe(statSync(join(directory, 'objects/a/w.bin')).ino);
  });

  it('says that a file which is to be linked and is absent makes the checkpoint unusable', async () => {
    const fetched = fetchFile(openFileStore(join(directory, 'objects')), 'a/w.bin', file, to(), options);
    await expect(fetched).rejects.toMatchObject({ type: 'checkpoint-unusable' });
    await expect(fetched).rejects.toThrow('model/w.bin of that checkpoint is missing; choose another checkpoint');
  });

  describe.skipIf(!canCopy)('from another file system', () => {
    let elsewhere: string;
    beforeEach(() => {
      elsewhere = mkdtempSync(join(MEMORY, 'tandem-fetch-'));
    });
    afterEach(() => rmSync(elsewhere, { recursive: true }));

    it('makes a copy, which gets its name once it is on disk', async () => {
      const store = openFileStore(elsewhere);
      await store.put('a/w.bin', bytes);
      const found: string[][] = [];
      const handle = await open(join(elsewhere, 'a/w.bin'));
      const prototype = Object.getPrototypeOf(handle) as typeof handle;
      await handle.close();
      const sync = vi.spyOn(prototype, 'sync').mockImplementation(async () => {
        found.push(existsSync(join(directory, 'tree/model')) ? readdirSync(join(directory, 'tree/model')) : []);
      });
      await fetchFile(store, 'a/w.bin', file, to(), options).finally(() => sync.mockRestore());
      expect(found.slice(-2)).toEqual([['w.bin.part'], ['w.bin']]);
      expect(readFileSync(to()).equals(bytes)).toBe(true);
    });

    it('refuses a copy with other bytes, and leaves nothing', async () => {
      const store = openFileStore(elsewhere);
      await store.put('a/w.bin', Buffer.from('damaged '.repeat(1000)));
      const fetched = fetchFile(store, 'a/w.bin', file, to(), options);
      await expect(fetched).rejects.toMatchObject({ type: 'checkpoint-unusable' });
      expect(readdirSync(join(directory, 'tree/model'))).toEqual([]);
    });
  });

  it('downloads from a store that is none, and leaves nothing half under the name', async () => {
    const { store, close } = await openMemoryStore();
    await store.put('a/w.bin', bytes);
    await fetchFile(store, 'a/w.bin', file, to(), options);
    expect(readFileSync(to()).equals(bytes)).toBe(true);
    expect(readdirSync(join(directory, 'tree/model'))).toEqual(['w.bin']);
    await close();
  });

  it('does not fetch again what is there already', async () => {
    mkdirSync(join(directory, 'tree/model'), { recursive: true });
    writeFileSync(to(), bytes);
    const untouchable = { localDirectory: () => null, transfers: null } as unknown as ObjectStore;
    await fetchFile(untouchable, 'a/w.bin', file, to(), options);
  });

  it.each([
    ['has other bytes', Buffer.from('damaged '.repeat(1000))],
    ['has another size', Buffer.from('short')],
    ['is missing', null],
  ])(
    'refuses a file that %s, and says to choose another checkpoint',
    async (_what, stored) => {
      const { store, close } = await openMemoryStore();
      if (stored !== null) await store.put('a/w.bin', stored);
      const fetched = fetchFile(store, 'a/w.bin', file, to(), options);
      await expect(fetched).rejects.toMatchObject({ type: 'checkpoint-unusable' });
      await expect(fetched).rejects.toThrow(/model\/w\.bin.*choose another checkpoint/s);
      await expect(fetched).rejects.not.toThrow(/X-Amz-Signature/);
      await close();
    },
    60_000,
  );
});
