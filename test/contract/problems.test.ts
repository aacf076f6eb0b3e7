import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { agentOperations } from '../../services/contracts/agent-operations.ts';
import type { Operation } from '../../services/contracts/operation.ts';
import { operations } from '../../services/contracts/operations.ts';
import { commonProblems, type ProblemType, problemSchema, problems } from '../../services/contracts/problem.ts';
import { idempotencyTables } from '../../services/control-plane/api/idempotency.tables.ts';
import { createIdempotency } from '../../services/control-plane/api/idempotency.ts';
import { ProblemError } from '../../services/control-plane/api/problem-error.ts';
import { createStreams, STREAM_SETTINGS } from '../../services/control-plane/api/sse.ts';
import { serveAgent, servePublic, type TestServer } from '../../services/control-plane/api/testing.ts';
import { openDatabase } from '../../services/platform/database.ts';

const run = '/runs/run-7k3m9q2d';
const records = '/agent/attempts/run-7k3m9q2d.a1/records';
const directory = mkdtempSync(join(tmpdir(), 'tandem-problems-'));
const db = openDatabase({ path: join(directory, 'test.db'), migrations: [idempotencyTables] });
let open: TestServer;
let guarded: TestServer;
let agent: TestServer;

const fail = (type: ProblemType) => async () => {
  throw new ProblemError(type, problems[type].example);
};

beforeAll(async () => {
  const streams = createStreams({ ...STREAM_SETTINGS, maxFollowers: 0 });
  open = await servePublic(
    {
      listRuns: async () => ({ status: 200, body: { runs: [], next: null } }),
      getRun: fail('not-found'),
      pauseRun: fail('conflict'),
      cancelRun: async () => {
        throw new TypeError('a bug');
      },
      createRun: async ({ query, body }) => {
        if (query.dry_run) throw new ProblemError('cannot-place', problems['cannot-place'].example);
        if (body !== 1) throw new ProblemError('invalid-spec', problems['invalid-spec'].example);
        // Only what comes after the first request under the key matters here.
        throw new ProblemError('conflict', 'not the first');
      },
      resumeRun: fail('checkpoint-unusable'),
      listEvents: async (_input, exchange) => {
        streams.open(exchange, 'sse');
        throw new Error('the stream was opened');
      },
      getCheckpointFile: fail('range-not-satisfiable'),
    },
    { idempotency: createIdempotency({ db, now: Date.now }) },
  );
  guarded = await servePublic({}, { settings: { apiKey: 'secret' } });
  agent = await serveAgent({
    postRecords: fail('record-gap'),
    postCheckpoint: fail('attempt-closed'),
    postUploads: fail('store-refused'),
  });
});
afterAll(async () => {
  await Promise.all([open.close(), guarded.close(), agent.close()]);
  db.close();
  rmSync(directory, { recursive: true });
});

const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
const token = { authorization: 'Bearer token-of-run-7k3m9q2d.a1' };
const commit = {
  step: 1,
  purposes: ['step'],
  policy_version: 1,
  record: 1,
  epoch: 0,
  best_metric: null,
  metrics: {},
  inputs: {},
  files: [{ path: 'a', size: 1, sha256: 'a'.repeat(64) }],
};

/** A request for each problem there is; a type without one does not compile. */
const provoke: Record<ProblemType, () => Promise<Response>> = {
  'invalid-request': () => fetch(`${open.url}/runs?limt=1`),
  unauthorized: () => fetch(`${guarded.url}/runs`),
  'forbidden-host': () =>
    fetch(`${open.url}${run}/pause`, { method: 'POST', headers: { origin: 'https://evil.example' } }),
  'not-found': () => fetch(`${open.url}${run}`),
  'method-not-allowed': () => fetch(`${open.url}/runs`, { method: 'PATCH' }),
  'not-acceptable': () => fetch(`${open.url}/runs`, { headers: { accept: 'image/png' } }),
  conflict: () => fetch(`${open.url}${run}/pause`, { method: 'POST' }),
  'record-gap': () => fetch(`${agent.url}${records}`, { method: 'POST', headers: token }),
  'idempotency-mismatch': async () => {
    const key = { 'idempotency-key': 'k' };
    await createIdempotency({ db, now: Date.now }).once({ key: 'k', fingerprint: 'another' }, async () => ({
      status: 201,
    }));
    return post(`${open.url}/runs`, 1, key);
  },
  'attempt-closed': () => post(`${agent.url}/agent/attempts/run-7k3m9q2d.a1/checkpoints`, commit, token),
  'payload-too-large': () => post(`${open.url}/runs`, 'x'.repeat(1_100_000)),
  'unsupported-media-type': () => post(`${open.url}/runs`, 1, { 'content-type': 'text/html' }),
  'range-not-satisfiable': () => fetch(`${open.url}${run}/checkpoints/latest/files/a`),
  'invalid-spec': () => post(`${open.url}/runs`, {}),
  'cannot-place': () => post(`${open.url}/runs?dry_run=true`, {}),
  'checkpoint-unusable': () => post(`${open.url}${run}/resume`, {}),
  'too-many-requests': () => fetch(`${open.url}${run}/events?follow=true`),
  internal: () => fetch(`${open.url}${run}/cancel`, { method: 'POST' }),
  'store-refused': () =>
    post(`${agent.url}/agent/attempts/run-7k3m9q2d.a1/uploads`, { step: 1, files: commit.files }, token),
  unavailable: () => fetch(`${open.url}/readyz`),
};

describe('every problem', () => {
  test.each(Object.keys(problems) as ProblemType[])('%s is answered as documented', async (type) => {
    const answer = await provoke[type]();
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    const problem = problemSchema.parse(await answer.json());
    expect(problem).toMatchObject({
      type: `urn:tandem:problem:${type}`,
      title: problems[type].title,
      status: problems[type].status,
    });
    expect(answer.status).toBe(problem.status);
    expect(problem.instance).toMatch(/^urn:uuid:[0-9a-f-]{36}$/);
    expect(problem.detail).toMatch(/\S+ \S+ \S+/);
    expect(problem.detail).not.toMatch(/\bat .*\.(ts|js):\d+/);
  });

  test('belongs to an operation, to all of them, or to none on purpose', () => {
    const all: Operation[] = [...Object.values<Operation>(operations), ...Object.values<Operation>(agentOperations)];
    const used = new Set<string>([
      ...all.flatMap((operation) => operation.problems),
      ...commonProblems,
      'method-not-allowed',
    ]);
    expect(Object.keys(problems).filter((type) => !used.has(type))).toEqual([]);
  });

  test('has a status of its kind and a title that is no sentence', () => {
    for (const { status, title, example } of Object.values(problems)) {
      expect(status).toBeGreaterThanOrEqual(400);
      expect(title).toMatch(/^[A-Z].*[^.]$/);
      expect(example).toMatch(/[.?]$/);
    }
  });
});
