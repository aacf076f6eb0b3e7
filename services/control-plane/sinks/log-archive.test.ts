import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openFileStore } from '../../platform/file-store.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { printedFiles } from '../archive/printed-files.ts';
import { createLogArchiveSink, logPrefix } from './log-archive.sink.ts';
import { openSinkFixture, RUN, type SinkFixture } from './sink.fixtures.ts';

const { signal } = new AbortController();
let fixture: SinkFixture;
let store: ObjectStore;
beforeEach(() => {
  fixture = openSinkFixture();
  store = openFileStore(join(fixture.checkpoints.home, 'kept'));
  mkdirSync(join(fixture.tree, 'logs'), { recursive: true });
});
afterEach(() => fixture.close());

const file = (name: string) => join(fixture.tree, 'logs', name);
const sink = (used: Pick<ObjectStore, 'put' | 'list' | 'delete'> = store) =>
  createLogArchiveSink({ target: fixture.target(), store: used, logs: [file('training.log'), file('inference.log')] });
const stored = async () => {
  const names: string[] = [];
  for await (const { key } of store.list(logPrefix(RUN))) names.push(key.slice(logPrefix(RUN).length));
  return names;
};

it('rotated log files come into the object store once, the current ones when the run ends, and again after it went on', async () => {
  writeFileSync(file('training.log'), 'current');
  writeFileSync(file('training-2026-11-20.1.log.gz'), gzipSync('rotated'));
  writeFileSync(file('mine.txt'), 'not ours');
  const puts: string[] = [];
  const counting = {
    ...store,
    put: (...put: Parameters<ObjectStore['put']>) => {
      puts.push(put[0]);
      return store.put(...put);
    },
  };
  const writer = sink(counting);
  await writer.catchUp(false, signal);
  expect(await stored()).toEqual(['training-2026-11-20.1.log.gz']);
  await writer.catchUp(false, signal);
  await sink(counting).catchUp(false, signal);
  expect(puts).toHaveLength(1);

  await writer.catchUp(true, signal);
  expect(await stored()).toEqual(['training-2026-11-20.1.log.gz', 'training.log']);
  writeFileSync(file('training.log'), 'current and more');
  await sink(counting).catchUp(true, signal);
  expect(String(await store.get(`${logPrefix(RUN)}training.log`))).toBe('current and more');
  expect(puts).toHaveLength(3);
});

it('a rotated file that is not compressed comes at the end as it is, and gives way to the compressed one', async () => {
  const plain = file('training-2026-11-20.1.log');
  writeFileSync(plain, 'the disk was full');
  const writer = sink();
  await writer.catchUp(false, signal);
  expect(await stored()).toEqual([]);
  await writer.catchUp(true, signal);
  expect(await stored()).toEqual(['training-2026-11-20.1.log']);

  writeFileSync(`${plain}.gz`, gzipSync('the disk was full'));
  await sink().catchUp(true, signal);
  rmSync(plain);
  await sink().catchUp(true, signal);
  expect(await stored()).toEqual(['training-2026-11-20.1.log.gz']);
});

it('the archive of a run has what its programs printed from its tree, and from the object store what the tree has no more', async () => {
  const take = async () => {
    const found: Record<string, string> = {};
    for await (const { name, content } of printedFiles({ id: RUN, tree: fixture.tree }, store)) {
      const chunks: Uint8Array[] = Buffer.isBuffer(content) ? [content] : [];
      if (!Buffer.isBuffer(content)) for await (const chunk of content.read()) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      found[name] = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    }
    return found;
  };
  expect(await take()).toEqual({});
  writeFileSync(file('training.log'), 'records are in the archive by themselves');
  writeFileSync(file('inference.log'), 'at the end');
  writeFileSync(file('inference-2026-11-20.1.log.gz'), gzipSync('first part'));
  await sink().catchUp(true, signal);
  writeFileSync(file('inference.log'), 'after it went on');
  rmSync(file('inference-2026-11-20.1.log.gz'));
  expect(await take()).toEqual({
    'logs/inference.log': 'after it went on',
    'logs/inference-2026-11-20.1.log.gz': 'first part',
  });
  rmSync(fixture.tree, { recursive: true });
  expect(await take()).toEqual({
    'logs/inference.log': 'at the end',
    'logs/inference-2026-11-20.1.log.gz': 'first part',
  });
  expect(readFileSync(join(fixture.checkpoints.home, 'kept', logPrefix(RUN), 'inference.log'), 'utf8')).toBe(
    'at the end',
  );
});
