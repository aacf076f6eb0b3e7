import { afterEach, describe, expect, test } from 'vitest';
import type { AgentOperations, RecordsReply } from '../../contracts/agent-operations.ts';
import type { Handlers } from './handlers.ts';
import { ProblemError } from './problem-error.ts';
import { problemOf, serveAgent, type TestServer } from './testing.ts';

let server: TestServer;
afterEach(() => server.close());

const reply: RecordsReply = {
  high: 2,
  want: 'run',
  deadline: null,
  log_levels: { training: 'INFO', rollout: 'INFO', eval: 'INFO', performance: 'INFO' },
};
const record = (n: number) => ({
  n,
  time: '2026-11-20T09:00:00.000Z',
  kind: 'log',
  component: 'training',
  level: 'INFO',
  message: 'm',
});
const authorization = 'Bearer token-of-run-7k3m9q2d.a1';

const serve = async (handlers: Partial<Handlers<AgentOperations>>) => {
  server = await serveAgent(handlers);
  return (body: string, headers: Record<string, string> = {}, attempt = 'run-7k3m9q2d.a1') =>
    fetch(`${server.url}/agent/attempts/${attempt}/records`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'application/x-ndjson', ...headers },
      body,
    });
};

describe('tokens', () => {
  test.each([
    ['another attempt of the run', 'run-7k3m9q2d.a2'],
    ['another run', 'run-00000000.a1'],
  ])('a token does not open %s', async (_what, attempt) => {
    const post = await serve({});
    expect(await problemOf(await post('', {}, attempt))).toMatchObject({ kind: 'unauthorized', status: 401 });
  });

  test('a caller without token is refused before its body is read', async () => {
    const post = await serve({});
    expect((await post('not a record', { authorization: '' })).status).toBe(401);
  });

  test('an attempt that cannot be one is malformed', async () => {
    const post = await serve({});
    expect((await problemOf(await post('', {}, 'run-7k3m9q2d'))).kind).toBe('invalid-request');
  });
});

describe('records', () => {
  test('come to the handler checked and in order; an empty body is a heartbeat', async () => {
    const seen: unknown[] = [];
    const post = await serve({
      postRecords: async ({ body }) => {
        seen.push(body.map(({ n }) => n));
        return { status: 200, body: reply };
      },
    });
    expect(await (await post(`${JSON.stringify(record(1))}\n${JSON.stringify(record(2))}\n`)).json()).toEqual(reply);
    expect((await post('')).status).toBe(200);
    expect(seen).toEqual([[1, 2], []]);
  });

  test('a wrong line is named and nothing reaches the handler', async () => {
    const post = await serve({
      postRecords: async () => {
        throw new Error('the handler was called');
      },
    });
    const wrong = await problemOf(
      await post(`${JSON.stringify(record(1))}\n${JSON.stringify({ ...record(2), level: 'LOUD' })}\n`),
    );
    expect(wrong).toMatchObject({
      kind: 'invalid-request',
      issues: [{ path: 'line 2.level', message: expect.any(String) }],
    });
    expect((await problemOf(await post('{"n":1\n'))).detail).toMatch(/^line 1: is not valid JSON/);
  });

  test('a batch of 16 MiB is read, a larger one is refused', async () => {
    const post = await serve({
      postRecords: async ({ body }) => ({ status: 200, body: { ...reply, high: body.length } }),
    });
    const line = `${JSON.stringify({ ...record(1), message: 'x'.repeat(60_000) })}\n`;
    const most = Math.floor((16 * 1024 * 1024) / line.length);
    expect(await (await post(line.repeat(most))).json()).toMatchObject({ high: most });
    expect((await problemOf(await post(line.repeat(most + 1)))).kind).toBe('payload-too-large');
  });

  test.each([
    'record-gap',
    'attempt-closed',
    'unavailable',
    'not-found',
  ] as const)('%s reaches the trainer', async (type) => {
    const post = await serve({
      postRecords: async () => {
        throw new ProblemError(type, 'because');
      },
    });
    expect(await problemOf(await post(''))).toMatchObject({ kind: type, detail: 'because' });
  });
});
