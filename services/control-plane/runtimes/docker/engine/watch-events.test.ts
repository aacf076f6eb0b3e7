import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type SocketServer, startSocketServer } from './socket-server.fixture.ts';
import { parseEvent, watchEvents } from './watch-events.ts';

const FIRST = 1_769_854_830_123_456_789n;
const line = (number: number, action = 'die') => {
  const actor = { ID: `c${number}`, Attributes: { exitCode: '0', timeNano: '5' } };
  return `${JSON.stringify({ Type: 'container', Action: action, Actor: actor }).slice(0, -1)},"timeNano":${FIRST + BigInt(number)}}\n`;
};

let server: SocketServer | undefined;
let stop = new AbortController();
let watching: Promise<void> | undefined;

afterEach(async () => {
  stop.abort();
  await watching;
  await server?.close();
});

/** Watches a daemon that treats its nth stream as told; gives what was seen, in order: `resync`, `break`, or the id of an event. */
async function watch(streams: ((response: ServerResponse) => void)[]): Promise<string[]> {
  const seen: string[] = [];
  stop = new AbortController();
  server = await startSocketServer((_, response, number) => {
    (streams[number - 1] ?? ((held) => held.writeHead(200).flushHeaders()))(response);
  });
  watching = watchEvents(server.socketPath, {
    filters: { type: ['container'] },
    onEvent: ({ id }) => seen.push(id),
    onResync: () => seen.push('resync'),
    onBreak: () => seen.push('break'),
    signal: stop.signal,
    backoff: () => 1,
  });
  return seen;
}

const begin = (response: ServerResponse, ...lines: string[]) => {
  response.writeHead(200).flushHeaders();
  for (const each of lines) response.write(each);
};

describe('watchEvents', () => {
  it.each<[string, (response: ServerResponse) => void]>([
    ['ends', (response) => response.end()],
    ['is cut', (response) => setTimeout(() => response.destroy(), 20)],
    ['is cut within a line', (response) => response.write('{"Type":"cont', () => response.destroy())],
    ['sends what is no event', (response) => response.end('<html>\n{}\nnull\n')],
  ])('goes on after a stream that %s, looks at everything again, and tells no event twice', async (_, how) => {
    const seen = await watch([
      (response) => {
        begin(response, line(1), line(2));
        setTimeout(() => how(response), 20);
      },
      (response) => begin(response, line(2), line(3)),
    ]);
    await expect.poll(() => seen).toEqual(['resync', 'c1', 'c2', 'break', 'resync', 'c3']);
    expect(server?.requests[1]).toContain('since=1769854830.123456791');
  });

  it('keeps trying while the daemon refuses, and while it is not there', async () => {
    const refuse = (response: ServerResponse) => response.writeHead(500).end('{"message":"starting"}');
    const seen = await watch([
      refuse,
      (response) => response.destroy(),
      refuse,
      (response) => begin(response, line(1)),
    ]);
    await expect.poll(() => seen).toEqual(['break', 'break', 'break', 'resync', 'c1']);
  });

  it('takes lines that are cut and lines that come together', async () => {
    const all = [line(1), line(2), line(3)].join('');
    const seen = await watch([
      (response) => {
        begin(response, all.slice(0, 30));
        setTimeout(() => response.write(all.slice(30)), 20);
      },
    ]);
    await expect.poll(() => seen).toEqual(['resync', 'c1', 'c2', 'c3']);
  });

  it('tells two things that happened to a container at the same time apart', async () => {
    const seen = await watch([(response) => begin(response, line(1, 'oom'), line(1, 'die'), line(1, 'die'))]);
    await expect.poll(() => seen).toEqual(['resync', 'c1', 'c1']);
  });

  it('ends with its signal', async () => {
    const seen = await watch([]);
    await expect.poll(() => seen).toEqual(['resync']);
    stop.abort();
    await watching;
    expect(seen).toEqual(['resync']);
  });
});

describe('parseEvent', () => {
  it('keeps every nanosecond', () => {
    expect(parseEvent(line(1).trim())).toEqual({
      type: 'container',
      action: 'die',
      id: 'c1',
      attributes: { exitCode: '0', timeNano: '5' },
      timeNano: String(FIRST + 1n),
    });
  });

  it.each([
    '',
    'null',
    '{}',
    '[]',
    '{"Type":"container","Action":"die","Actor":{"ID":"c"}}',
    '{"Type":1,"timeNano":5}',
  ])('takes %j for no event', (text) => expect(parseEvent(text)).toBeNull());
});
