import { afterEach, describe, expect, test } from 'vitest';
import type { Operations } from '../../contracts/operations.ts';
import type { RunSummary } from '../../contracts/run.ts';
import type { Handlers } from './handlers.ts';
import { ProblemError } from './problem-error.ts';
import { problemOf, servePublic, type TestServer } from './testing.ts';

let server: TestServer;
afterEach(() => server.close());

const serve = async (handlers: Partial<Handlers<Operations>>, options: Parameters<typeof servePublic>[1] = {}) => {
  server = await servePublic(handlers, options);
  return (path: string, init: RequestInit = {}) => fetch(`${server.url}${path}`, init);
};
const noRuns: Handlers<Operations>['listRuns'] = async () => ({ status: 200, body: { runs: [], next: null } });
const run = '/runs/run-7k3m9q2d';
const json = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

test('a fixed path is not taken for a name: its other methods are refused as such', async () => {
  const call = await serve({});
  const answer = await call(`${run}/checkpoints/prune`);
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
});

describe('input', () => {
  test('a handler is given parameters and query as its schemas parse them', async () => {
    const seen: unknown[] = [];
    const call = await serve({
      listRuns: async ({ query }) => {
        seen.push(query);
        return noRuns({ query } as never, undefined as never);
      },
      getCheckpointFile: async ({ params }) => {
        seen.push(params);
        throw new ProblemError('not-found', 'none');
      },
    });
    await call('/runs?limit=7&label=team%3Dagents');
    await call(`${run}/checkpoints/a1%2Fcheckpoint-40/files/model/adapter%20config.json`);
    await call(`${run}/checkpoints/latest/files/model%2Fconfig.json`);
    expect(seen).toEqual([
      { limit: 7, label: 'team=agents' },
      { id: 'run-7k3m9q2d', name: 'a1/checkpoint-40', path: 'model/adapter config.json' },
      { id: 'run-7k3m9q2d', name: 'latest', path: 'model/config.json' },
    ]);
  });

  test.each([
    ['/runs?limt=7', 'query.limt: unknown parameter; did you mean limit?'],
    ['/runs?zzzzzzzz=7', 'query.zzzzzzzz: unknown parameter; known are status, method, label, limit, cursor'],
    ['/runs?limit=7&limit=8', 'query.limit: is given more than once; give it once'],
    ['/runs?limit=', 'query.limit: is empty; give a value or leave it out'],
    ['/runs?limit=many', 'query.limit: must be a number, not the text "many"'],
    ['/runs?limit=0', 'query.limit: must be at least 1'],
    ['/runs?status=lost', 'query.status: must be one of queued, starting'],
    ['/healthz?verbose=1', 'query.verbose: unknown parameter; this operation takes none'],
    ['/runs/7', 'params.id: a run id looks like run-7k3m9q2d'],
    ['/runs/%', 'The path holds a malformed percent-encoding'],
    [`${run}/logs?follow=perhaps`, 'query.follow: must be one of true, 1, false, 0'],
  ])('%s is refused with the place and the remedy', async (path, detail) => {
    const call = await serve({ listRuns: noRuns });
    const problem = await problemOf(await call(path));
    expect(problem).toMatchObject({ kind: 'invalid-request', status: 400 });
    expect(problem.detail).toContain(detail);
  });

  test('everything that is wrong is listed', async () => {
    const call = await serve({});
    const problem = await problemOf(await call(`${run}/resume`, json({ from: 3, frok: true })));
    expect(problem.issues?.map(({ path }) => path)).toEqual(['body.from', 'body.frok']);
    expect(problem.detail).toMatch(/^body\.from: .* \(and 1 more, see issues\)$/);
  });

  test('a declared header that comes twice is refused', async () => {
    await serve({});
    const answer = await server.raw(
      'POST /runs HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: a\r\nIdempotency-Key: b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toContain('headers.idempotency-key: is given more than once');
  });

  test('a body where none is read is refused', async () => {
    const call = await serve({});
    expect((await problemOf(await call(`${run}/pause`, json({})))).detail).toBe('body: is not read here; leave it out');
  });
});

describe('bodies on the wire', () => {
  test('one that is declared too large is refused before it is sent', async () => {
    await serve({});
    const answer = await server.raw(
      'POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n',
      (received) => received.includes('payload-too-large'),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('one that turns out too large is refused, and the client can read why', async () => {
    const call = await serve({});
    const problem = await problemOf(await call('/runs', json('x'.repeat(3 * 1024 * 1024))));
    expect(problem).toMatchObject({ kind: 'payload-too-large', detail: expect.stringContaining('larger than 1 MiB') });
  });

  test('a chunked one is counted as it comes', async () => {
    await serve({});
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const answer = await server.raw(
      `POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(20)}`,
      (received) => received.includes('payload-too-large'),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test('a compressed one is refused', async () => {
    const call = await serve({});
    const init = json({});
    const problem = await problemOf(
      await call('/runs', { ...init, headers: { ...init.headers, 'content-encoding': 'gzip' } }),
    );
    expect(problem).toMatchObject({ kind: 'unsupported-media-type', status: 415 });
  });

  test('curl -d without a type is told which header to send', async () => {
    const call = await serve({});
    const problem = await problemOf(await call('/runs', { method: 'POST', body: new URLSearchParams({ a: '1' }) }));
    expect(problem.detail).toBe(
      'The body is application/x-www-form-urlencoded; send application/json or application/yaml (header Content-Type).',
    );
  });

  test('a client that goes away in the middle of a body harms nothing', async () => {
    const call = await serve({ listRuns: noRuns });
    await server.raw(
      'POST /runs HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"a":',
      (received) => received.includes('100 Continue'),
    );
    expect((await call('/runs')).status).toBe(200);
    expect(server.log.filter(({ level }) => level === 'error')).toEqual([]);
  });
});

describe('methods and media types', () => {
  test('a method that a path does not have is answered with those it has', async () => {
    const call = await serve({});
    const answer = await call('/runs', { method: 'PUT' });
    expect(answer.headers.get('allow')).toBe('POST, GET, HEAD');
    expect(await problemOf(answer)).toMatchObject({ kind: 'method-not-allowed', status: 405 });
  });

  test('HEAD answers as GET does, without a body', async () => {
    const call = await serve({ listRuns: noRuns });
    const answer = await call('/runs', { method: 'HEAD' });
    expect(answer.status).toBe(200);
    expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(10);
  });

  test.each([
    '/nothing',
    '/runs/run-7k3m9q2d/nothing',
    '/RUNS',
    '/agent/attempts/run-7k3m9q2d.a1/spec',
  ])('there is nothing at %s', async (path) => {
    const call = await serve({});
    expect(await problemOf(await call(path))).toMatchObject({ kind: 'not-found', status: 404 });
  });

  test('a client that accepts no JSON is told what there is', async () => {
    const call = await serve({ listRuns: noRuns });
    const problem = await problemOf(await call('/runs', { headers: { accept: 'image/png' } }));
    expect(problem).toMatchObject({ kind: 'not-acceptable', status: 406 });
    expect(problem.detail).toContain('This answers application/json; the header Accept allows only image/png.');
  });
});

describe('answers', () => {
  test('a bug is shown as an id, and the log has the cause under that id', async () => {
    const call = await serve({
      listRuns: async () => {
        throw new TypeError('secret detail');
      },
    });
    const text = await (await call('/runs')).text();
    expect(text).not.toContain('secret detail');
    const problem = JSON.parse(text) as { instance: string; status: number };
    expect(problem.status).toBe(500);
    const [entry] = server.log.filter(({ level }) => level === 'error');
    expect(entry?.fields).toMatchObject({ instance: problem.instance, error: expect.any(TypeError) });
  });

  test('an answer that breaks its contract is a failure where answers are checked, and only there', async () => {
    const wrong = { runs: [{ id: 'not a run' } as unknown as RunSummary], next: null };
    const listRuns: Handlers<Operations>['listRuns'] = async () => ({ status: 200, body: wrong });
    const call = await serve({ listRuns });
    expect((await call('/runs')).status).toBe(500);
    await server.close();
    const unchecked = await serve({ listRuns }, { checkResponses: false });
    expect((await unchecked('/runs')).status).toBe(200);
  });

  test('a problem that the contract does not have is a failure where answers are checked', async () => {
    const call = await serve({
      listRuns: async () => {
        throw new ProblemError('cannot-place', 'no');
      },
    });
    expect((await call('/runs')).status).toBe(500);
  });

  test('an answer without content has none', async () => {
    const call = await serve({ deleteRun: async () => ({ status: 204 }) });
    const answer = await call(run, { method: 'DELETE' });
    expect([answer.status, await answer.text()]).toEqual([204, '']);
  });
});
