import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CheckpointCommit } from '../../contracts/checkpoint.ts';
import { type StoreRequest, type StoreServer, startStoreServer } from '../../platform/testing/store-server.ts';
import { hashFile } from '../../platform/transfer/hash-file.ts';
import { testAttempt, testSpec } from '../test-support/attempt.ts';
import { startTestControlPlane, type TestControlPlane } from '../test-support/control-plane.ts';
import { createAgentClient } from './agent-client.ts';
import { storeCheckpoint } from './store-checkpoint.ts';

const MIB = 2 ** 20;
let directory: string;
let plane: TestControlPlane;
let store: StoreServer;
const task = { model: '/m', train: '/t', validation: '/v' };
/** The model goes in three parts. */
const contents: Record<string, string> = {
  'optimizer.pt': 'moments',
  'model/config.json': '{}',
  'empty.txt': '',
  'model/model.safetensors': 'weights '.repeat(1.5 * MIB),
};
const never = new AbortController().signal;
const parts = (request: StoreRequest) => request.path.includes('model.safetensors');

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'tandem-store-'));
  const attempt = testAttempt({ spec: testSpec(task, {}), task, directory });
  plane = await startTestControlPlane({ attempt, directory: path.join(directory, 'store') });
  store = await startStoreServer();
});
afterEach(async () => {
  await plane.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

async function save(signal = never, patienceMs?: number) {
  const written = path.join(directory, 'written');
  mkdirSync(path.join(written, 'model'), { recursive: true });
  const files = [];
  for (const [name, text] of Object.entries(contents)) {
    writeFileSync(path.join(written, name), text);
    const handle = await open(path.join(written, name));
    files.push({ path: name, ...(await hashFile(handle, 5 * MIB)) });
    await handle.close();
  }
  const commit: CheckpointCommit = {
    ...{ step: 4, purposes: ['step'], policy_version: 4, record: 9, epoch: 0.5, best_metric: null, metrics: {} },
    ...{ inputs: {}, files },
  };
  const client = createAgentClient({ url: plane.url, attempt: 'run-test0000.a1', token: plane.token });
  const retry = { tries: 2, baseMs: 1, maxMs: 5 };
  return storeCheckpoint({ client, directory: written, commit, signal, retry, ...(patienceMs && { patienceMs }) });
}

test('files go to a directory and are committed', async () => {
  expect(await save()).toMatchObject({ name: 'checkpoint-4', record: 9 });
  for (const [name, text] of Object.entries(contents)) {
    expect(readFileSync(path.join(plane.directory, 'checkpoint-4', name), 'utf8')).toBe(text);
  }
});

test('a control plane that is away is waited for', async () => {
  plane.failWith = 503;
  setTimeout(() => {
    plane.failWith = null;
  }, 300);
  expect((await save()).name).toBe('checkpoint-4');
});

test('waiting ends with the signal', async () => {
  plane.failWith = 503;
  const giveUp = new AbortController();
  setTimeout(() => giveUp.abort(new Error('the deadline passed')), 100);
  await expect(save(giveUp.signal)).rejects.toThrow('the deadline passed');
});

describe('an object store', () => {
  beforeEach(() => {
    plane.objectStore = store;
  });
  const stored = () => [...store.objects].map(([key, bytes]) => [key.replace('checkpoint-4/', ''), bytes.toString()]);

  test('gets files in parts, which are committed', async () => {
    expect((await save()).files.find(({ parts: cut }) => cut)).toMatchObject({ path: 'model/model.safetensors' });
    expect(Object.fromEntries(stored())).toEqual(contents);
    expect(store.requests.filter(parts)).toHaveLength(3);
  });

  test.each([
    ['URLs that have expired', { status: 403, code: 'AccessDenied' }],
    ['an upload that is gone', { status: 404, code: 'NoSuchUpload' }],
    ['a store that is away for longer than a part is tried', { status: 503 }],
  ])('after %s only what is missing is sent under fresh URLs', async (_what, fault) => {
    let refused = 0;
    store.interfere = (request) => (request.path.endsWith('/2') && refused++ < 2 ? fault : undefined);
    await save();
    expect(Object.fromEntries(stored())).toEqual(contents);
    const counts = ['/1', '/2', '/3'].map((end) =>
      store.requests.filter((each) => parts(each) && each.path.endsWith(end)),
    );
    expect(counts.map(({ length }) => length)).toEqual([1, 3, 1]);
  });

  test('with trouble of several kinds is given up for none that came seldom', async () => {
    const away = { status: 503 };
    const faults = [away, away, away, away, away, away, { status: 403, code: 'AccessDenied' }];
    store.interfere = (request) => (request.path.includes('optimizer.pt') ? faults.shift() : undefined);
    await save();
    expect(Object.fromEntries(stored())).toEqual(contents);
    expect(faults).toEqual([]);
  });

  test('that takes nothing is given up when its time is over', async () => {
    store.interfere = () => ({ status: 503 });
    await expect(save(never, 1000)).rejects.toMatchObject({ kind: 'unreachable' });
  });

  test('that loses everything it takes is an error', async () => {
    const complete = store.complete;
    store.complete = (key) => {
      for (const part of [1, 2, 3]) store.forget(key, part);
      return complete(key);
    };
    await expect(save()).rejects.toMatchObject({ name: 'AgentError', status: 422 });
  });

  test('that has lost a part by the time of the commit is sent it again', async () => {
    let commits = 0;
    const complete = store.complete;
    store.complete = (key) => {
      if (key.endsWith('safetensors') && commits++ === 0) store.forget(key, 2);
      return complete(key);
    };
    await save();
    expect(Object.fromEntries(stored())).toEqual(contents);
    expect(store.requests.filter(parts)).toHaveLength(4);
  });

  test('that never has what was sent is an error', async () => {
    store.complete = () => undefined;
    await expect(save()).rejects.toMatchObject({ name: 'AgentError', status: 422 });
  });

  test('whose URLs never hold is an error', async () => {
    store.interfere = () => ({ status: 403, code: 'SignatureDoesNotMatch' });
    await expect(save()).rejects.toMatchObject({ kind: 'expired', message: expect.stringContaining('clocks') });
  });

  test('that is full is an error at once', async () => {
    store.interfere = () => ({ status: 507, code: 'XMinioStorageFull' });
    await expect(save()).rejects.toMatchObject({ kind: 'full' });
    expect(store.requests.length).toBeLessThanOrEqual(4);
  });
});
