import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CheckpointCommit } from '../../contracts/checkpoint.ts';
import { testAttempt, testSpec } from '../test-support/attempt.ts';
import { startTestControlPlane, type TestControlPlane } from '../test-support/control-plane.ts';
import { createAgentClient } from './agent-client.ts';
import { storeCheckpoint } from './store-checkpoint.ts';
import { getFile } from './transfer-file.ts';

let directory: string;
let plane: TestControlPlane;
const task = { model: '/m', train: '/t', validation: '/v' };
const contents: Record<string, string> = { 'optimizer.pt': 'moments', 'model/config.json': '{}', 'empty.txt': '' };
const never = new AbortController().signal;

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'tandem-store-'));
  const attempt = testAttempt({ spec: testSpec(task, {}), task, directory });
  plane = await startTestControlPlane({ attempt, directory: path.join(directory, 'store') });
});
afterEach(async () => {
  await plane.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

function store(signal = never) {
  const written = path.join(directory, 'written');
  mkdirSync(path.join(written, 'model'), { recursive: true });
  const files = Object.entries(contents).map(([name, text]) => {
    writeFileSync(path.join(written, name), text);
    return { path: name, size: text.length, sha256: createHash('sha256').update(text).digest('hex') };
  });
  const commit: CheckpointCommit = {
    ...{ step: 4, purposes: ['step'], policy_version: 4, record: 9, epoch: 0.5, best_metric: null, metrics: {} },
    ...{ inputs: {}, files },
  };
  const client = createAgentClient({ url: plane.url, attempt: 'run-test0000.a1', token: plane.token });
  return storeCheckpoint({ client, directory: written, commit, signal });
}

test.each([
  ['a directory', false],
  ['presigned URLs', true],
])('files go to %s and are committed', async (_where, objectStore) => {
  plane.objectStore = objectStore;
  const manifest = await store();
  expect(manifest).toMatchObject({ name: 'checkpoint-4', record: 9 });
  for (const [name, text] of Object.entries(contents)) {
    expect(readFileSync(path.join(plane.directory, 'checkpoint-4', name), 'utf8')).toBe(text);
  }
});

test('a control plane that is away is waited for', async () => {
  plane.failWith = 503;
  setTimeout(() => {
    plane.failWith = null;
  }, 300);
  expect((await store()).name).toBe('checkpoint-4');
});

test('waiting ends with the signal', async () => {
  plane.failWith = 503;
  const giveUp = new AbortController();
  setTimeout(() => giveUp.abort(new Error('the deadline passed')), 100);
  await expect(store(giveUp.signal)).rejects.toThrow('the deadline passed');
});

test('a URL that holds a secret is not in the error', async () => {
  plane.failWith = 404;
  const url = `${plane.url}/store/x?X-Amz-Signature=secret`;
  const failure = getFile(url, path.join(directory, 'x'), never);
  await expect(failure).rejects.toMatchObject({ kind: 'refused', message: expect.not.stringContaining('secret') });
});
