import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { openFileStore } from './file-store.ts';
import { describeObjectStore } from './object-store.contract.ts';

const temporary = () => mkdtempSync(join(tmpdir(), 'tandem-store-'));

describeObjectStore('a directory', async () => {
  const root = temporary();
  return { store: openFileStore(root), close: async () => rmSync(root, { recursive: true }) };
});

describe('openFileStore', () => {
  it('lays an object out as a file that people find by its key', async () => {
    const root = temporary();
    const store = openFileStore(root);
    await store.put('runs/run-1/manifest.json', Buffer.from('{}'));
    expect(readFileSync(join(root, 'runs/run-1/manifest.json'), 'utf8')).toBe('{}');
    expect(store.localDirectory('runs/run-1/')).toBe(join(root, 'runs/run-1'));
    rmSync(root, { recursive: true });
  });

  it('leaves no temporary file and no empty directory behind', async () => {
    const root = temporary();
    const store = openFileStore(root);
    await store.put('a/b/c', Buffer.from('x'));
    await store.putIfAbsent('a/b/c', Buffer.from('y'));
    expect(readdirSync(join(root, 'a/b'))).toEqual(['c']);
    await store.delete('a/b/c');
    expect(readdirSync(root)).toEqual([]);
    rmSync(root, { recursive: true });
  });

  it('refuses a symbolic link in a key instead of following it', async () => {
    const root = temporary();
    const outside = temporary();
    writeFileSync(join(outside, 'secret'), 'secret');
    mkdirSync(join(root, 'runs'));
    symlinkSync(outside, join(root, 'runs/link'));
    symlinkSync(join(outside, 'secret'), join(root, 'runs/file'));
    const store = openFileStore(root);
    for (const key of ['runs/link/secret', 'runs/file']) {
      await expect(store.get(key)).rejects.toThrow(/symbolic link/);
      await expect(buffer(store.read(key))).rejects.toThrow(/symbolic link/);
      await expect(store.put(key, Buffer.from('x'))).rejects.toThrow(/symbolic link/);
      await expect(store.delete(key)).rejects.toThrow(/symbolic link/);
    }
    const found: string[] = [];
    for await (const { key } of store.list('')) found.push(key);
    expect(found).toEqual([]);
    expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
    rmSync(root, { recursive: true });
    rmSync(outside, { recursive: true });
  });
});
