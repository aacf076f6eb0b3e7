import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { Operations } from '../../contracts/operations.ts';
import { follow } from './follow.ts';
import { type Handlers, STREAMED } from './handlers.ts';
import { createStreams, STREAM_SETTINGS, type Stream, type StreamSettings } from './sse.ts';
import { problemOf, servePublic, type TestServer } from './testing.ts';

let server: TestServer;
afterEach(() => server.close());

const path = '/runs/run-7k3m9q2d/events?follow=true';

/** Serves a stream that the test writes to. */
async function serveStream(settings: Partial<StreamSettings> = {}) {
  const streams = createStreams({ ...STREAM_SETTINGS, ...settings });
  const opened: Stream[] = [];
  const listEvents: Handlers<Operations>['listEvents'] = async (_input, exchange) => {
    opened.push(streams.open(exchange, 'sse'));
    return STREAMED;
  };
  server = await servePublic({ listEvents });
  return { streams, opened };
}

/** What a follower of a growing list is sent. */
async function serveList(settings: Partial<StreamSettings> = {}) {
  const streams = createStreams({ ...STREAM_SETTINGS, ...settings });
  const items: string[] = [];
  const state = { ended: false, followers: 0, reads: 0 };
  const wakes = new Set<() => void>();
  const listEvents: Handlers<Operations>['listEvents'] = async ({ query }, exchange) => {
    let seen = query.after;
    await follow({
      stream: streams.open(exchange, 'sse'),
      read: async () => {
        state.reads += 1;
        const page = items.slice(seen, seen + 2);
        seen += page.length;
        return {
          messages: page.map((data, at) => ({ id: String(seen - page.length + at + 1), data })),
          more: seen < items.length,
        };
      },
      subscribe: (wake) => {
        wakes.add(wake);
        state.followers += 1;
        return () => {
          wakes.delete(wake);
          state.followers -= 1;
        };
      },
      ending: () => (state.ended ? { status: 'succeeded' } : null),
    });
    return STREAMED;
  };
  server = await servePublic({ listEvents });
  const notify = () => {
    for (const wake of wakes) wake();
  };
  return { items, state, notify, streams };
}

/** Reads a stream until `enough` of its text is there, then leaves. */
async function readUntil(response: Response, enough: (text: string) => boolean): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (enough(text)) break;
  }
  return text;
}

describe('a stream', () => {
  test('has the headers and the form of server-sent events, whatever the data holds', async () => {
    const { opened } = await serveStream();
    const response = await fetch(`${server.url}${path}`);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-accel-buffering')).toBe('no');
    await opened[0]?.send({ id: '7', event: 'log', data: { message: 'two\nlines\n\nid: 9 \u2028' } });
    opened[0]?.end({ event: 'end', data: {} });
    expect(await response.text()).toBe(
      'retry: 2000\n\nid: 7\nevent: log\ndata: {"message":"two\\nlines\\n\\nid: 9 \u2028"}\n\nevent: end\ndata: {}\n\n',
    );
  });

  test('shows that it lives while nothing happens', async () => {
    await serveStream({ heartbeatMs: 10 });
    const text = await readUntil(await fetch(`${server.url}${path}`), (got) =>
      got.includes(': heartbeat\n\n: heartbeat\n\n'),
    );
    expect(text).toContain(': heartbeat');
  });

  test('is aborted when the client leaves', async () => {
    const { opened } = await serveStream();
    const leave = new AbortController();
    await fetch(`${server.url}${path}`, { signal: leave.signal });
    const [stream] = opened;
    expect(stream?.signal.aborted).toBe(false);
    leave.abort();
    await expect.poll(() => stream?.signal.aborted).toBe(true);
    await stream?.send({ data: 'to nobody' });
  });

  test('beyond the limit is refused; a place becomes free when a follower leaves', async () => {
    await serveStream({ maxFollowers: 1 });
    const leave = new AbortController();
    await fetch(`${server.url}${path}`, { signal: leave.signal });
    const refused = await fetch(`${server.url}${path}`);
    expect(refused.headers.get('retry-after')).toBe('5');
    expect(await problemOf(refused)).toMatchObject({ kind: 'too-many-requests', status: 429 });
    leave.abort();
    await expect
      .poll(async () => {
        const attempt = new AbortController();
        const { status } = await fetch(`${server.url}${path}`, { signal: attempt.signal });
        attempt.abort();
        return status;
      })
      .toBe(200);
  });

  test('ends with an event when the control plane stops', async () => {
    const { streams } = await serveStream();
    const response = await fetch(`${server.url}${path}`);
    streams.close();
    expect(await response.text()).toContain('event: closing\n');
  });

  test('HEAD has no stream', async () => {
    const { opened } = await serveStream();
    const response = await fetch(`${server.url}${path}`, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(opened[0]?.signal.aborted).toBe(true);
  });
});

describe('a follower', () => {
  test('gets what there is, what comes, each once and in order, and the end', async () => {
    const { items, state, notify } = await serveList();
    items.push('a', 'b', 'c', 'd', 'e');
    const response = await fetch(`${server.url}${path}`);
    const text = readUntil(response, () => false);
    await expect.poll(() => state.reads).toBeGreaterThanOrEqual(3);
    items.push('f');
    notify();
    items.push('g');
    notify();
    await expect.poll(() => state.reads).toBeGreaterThanOrEqual(4);
    items.push('h');
    state.ended = true;
    notify();
    const ids = [...(await text).matchAll(/id: (\d+)\ndata: "(\w)"/g)].map(([, id, item]) => `${id}${item}`);
    expect(ids).toEqual(['1a', '2b', '3c', '4d', '5e', '6f', '7g', '8h']);
    expect(await text).toMatch(/event: end\ndata: \{"status":"succeeded"\}\n\n$/);
    expect(state.followers).toBe(0);
  });

  test('that leaves while nothing happens is forgotten at once', async () => {
    const { state } = await serveList();
    const leave = new AbortController();
    await fetch(`${server.url}${path}`, { signal: leave.signal });
    await expect.poll(() => state.followers).toBe(1);
    leave.abort();
    await expect.poll(() => state.followers).toBe(0);
  });

  test('that reads nothing is not read ahead for, and is dropped with a marker', async () => {
    const { items, state } = await serveList({ stallMs: 400 });
    for (let at = 0; at < 400; at += 1) items.push('x'.repeat(100_000));
    const socket = connect(server.port, '127.0.0.1');
    socket.pause();
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    await expect.poll(() => state.followers).toBe(1);
    await expect.poll(() => state.followers, { timeout: 5000 }).toBe(0);
    expect(state.reads).toBeLessThan(200);
    let tail = '';
    socket.on('data', (chunk) => {
      tail = `${tail}${chunk.toString()}`.slice(-500);
    });
    socket.resume();
    await expect
      .poll(() => tail)
      .toMatch(/event: dropped\ndata: \{"reason":"nothing was read for 0.4 s; reconnect with Last-Event-ID"\}\n\n/);
    socket.destroy();
  });

  test('that reads text and nothing of it is told so in a line', async () => {
    const streams = createStreams({ ...STREAM_SETTINGS, stallMs: 300 });
    let over = false;
    const getLogs: Handlers<Operations>['getLogs'] = async (_input, exchange) => {
      const stream = streams.open(exchange, 'text');
      while (!stream.signal.aborted) await stream.send({ data: 'x'.repeat(100_000) });
      over = true;
      return STREAMED;
    };
    server = await servePublic({ getLogs });
    const socket = connect(server.port, '127.0.0.1');
    socket.pause();
    socket.write('GET /runs/run-7k3m9q2d/logs?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await expect.poll(() => over, { timeout: 5000 }).toBe(true);
    let tail = '';
    socket.on('data', (chunk) => {
      tail = `${tail}${chunk.toString()}`.slice(-500);
    });
    socket.resume();
    await expect.poll(() => tail).toContain('\n... dropped here: nothing was read for 0.3 s\n');
    socket.destroy();
  });

  test('that is slow, not dead, gets everything', async () => {
    const { items, state } = await serveList({ stallMs: 2000 });
    for (let at = 0; at < 100; at += 1) items.push('x'.repeat(100_000));
    state.ended = true;
    const response = await fetch(`${server.url}${path}`);
    let size = 0;
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      size += chunk.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(size).toBeGreaterThan(10_000_000);
  });
});
