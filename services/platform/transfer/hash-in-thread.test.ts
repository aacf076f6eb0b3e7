import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import { afterAll, expect, it } from 'vitest';
import { hashInThread } from './hash-in-thread.ts';

const directory = mkdtempSync(join(tmpdir(), 'tandem-hash-'));
afterAll(() => rmSync(directory, { recursive: true }));
const signal = new AbortController().signal;
const write = (bytes: number) => {
  const content = Buffer.alloc(bytes, 'some content ');
  const path = join(directory, `${bytes}`);
  writeFileSync(path, content);
  return { path, content };
};

it.each([0, 5, 8 * 2 ** 20 + 1])('gives what the bytes of a file hash to, %i of them', async (bytes) => {
  const { path, content } = write(bytes);
  const recipe = { algorithm: 'sha1', prefix: `blob ${bytes}\0` } as const;
  const expected = createHash('sha1').update(recipe.prefix).update(content).digest('hex');
  expect(await hashInThread(path, bytes, recipe, signal)).toBe(expected);
});

it('starts a thread for a large file, for a small one none, and ends it when it is told to', async () => {
  const { path } = write(16 * 2 ** 20);
  const sha256 = { algorithm: 'sha256', prefix: '' } as const;
  const threads: Worker[] = [];
  const note = (thread: Worker) => threads.push(thread);
  process.on('worker', note);
  await hashInThread(write(9).path, 9, sha256, signal);
  expect(threads).toEqual([]);
  const stop = new AbortController();
  const hashing = hashInThread(path, 16 * 2 ** 20, sha256, stop.signal);
  stop.abort(new Error('enough'));
  await expect(hashing).rejects.toThrow('enough');
  process.off('worker', note);
  expect(threads.map(({ threadId }) => threadId)).toEqual([-1]);
});

it('says what cannot be read, from either place', async () => {
  for (const size of [1, 2 ** 30]) {
    const asked = hashInThread(join(directory, 'absent'), size, { algorithm: 'sha256', prefix: '' }, signal);
    await expect(asked).rejects.toMatchObject({ code: 'ENOENT' });
  }
});
