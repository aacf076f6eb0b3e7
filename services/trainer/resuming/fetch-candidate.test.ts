import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ResumeCandidate } from '../../contracts/agent-operations.ts';
import { MANIFEST_SCHEMA } from '../../contracts/checkpoint.ts';
import { type StoreServer, startStoreServer } from '../../platform/testing/store-server.ts';
import { explainFailure } from '../failure.ts';
import { fetchCandidate } from './fetch-candidate.ts';

const MIB = 2 ** 20;
const content = { 'model/model.safetensors': Buffer.alloc(3 * MIB, 7), 'optimizer.pt': Buffer.alloc(2 * MIB, 9) };
const { signal } = new AbortController();
let root: string;
let into: string;
let store: StoreServer;
beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-fetch-'));
  into = path.join(root, 'work', 'resume');
  store = await startStoreServer();
});
afterEach(async () => {
  await store.close();
  await rm(root, { recursive: true });
});

test('a checkpoint that does not fit on the disk is refused with the figures before anything of it is fetched', async () => {
  const free = async () => 2 * MIB;
  const refusal = await fetchCandidate(candidate(), into, { signal, free }).catch(explainFailure);
  expect(refusal).toMatchObject({
    reason: 'disk_full',
    message: `The disk is full: fetching run-a/a1/checkpoint-4 needs about 6.0 MiB, ${into} has 2.0 MiB free`,
    remedy: `Free 4.0 MiB on the disk of ${into}; then resume the run.`,
  });
  expect(store.requests).toEqual([]);
  expect(await readdir(into)).toEqual([]);
});

test('one that just fits is fetched, and the space is looked for where it goes', async () => {
  const asked: string[] = [];
  const free = async (directory: string) => {
    asked.push(directory);
    return 6 * MIB;
  };
  await fetchCandidate(candidate(), into, { signal, free });
  expect(asked).toEqual([into]);
  for (const [name, bytes] of Object.entries(content)) {
    expect((await readFile(path.join(into, name))).equals(bytes), name).toBe(true);
  }
});

function candidate(): ResumeCandidate {
  const files = Object.entries(content).map(([name, bytes]) => {
    store.objects.set(name, bytes);
    return { path: name, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
  const about = { step: 4, purposes: ['step' as const], policy_version: 4, record: 9, epoch: 1, best_metric: null };
  const origin = { schema: MANIFEST_SCHEMA, run: 'run-a', attempt: 1, name: 'checkpoint-4' } as const;
  return {
    label: 'run-a/a1/checkpoint-4',
    manifest: { ...origin, ...about, created_at: '2026-11-20T09:00:00.000Z', metrics: {}, inputs: {}, files },
    directory: null,
    urls: Object.fromEntries(files.map((file) => [file.path, store.link(file.path)])),
  };
}
