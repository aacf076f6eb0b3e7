import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askTracker, type TrackerServer } from './tracker-request.ts';

const words = { unknown: 'u', forbidden: 'f', refused: 'r', unreachable: 'look at the network', notJson: 'look again' };
let answer: RequestListener;
let url: string;
const server = createServer((request, response) => answer(request, response));
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const ask = (change: Partial<TrackerServer> = {}, signal = new AbortController().signal) =>
  askTracker(
    {
      ...{ url, words, authorization: 'Bearer hidden', secret: 'hidden', idleMs: 30_000, maxAnswer: 100 },
      ...{ empty: undefined, now: () => 0 },
      saidIn: (said) => ({ said: (said as { said?: string } | undefined)?.said ?? '', code: 'CODE' }),
      ...change,
    },
    { method: 'POST', path: '/log', body: { a: 1 }, what: 'log', signal },
  );

it('sends what authorizes with the body, and gives the answer', async () => {
  answer = async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    response.end(JSON.stringify([request.method, request.url, request.headers.authorization, JSON.parse(body)]));
  };
  expect(await ask()).toEqual(['POST', '/log', 'Bearer hidden', { a: 1 }]);
});

it.each<[string, RequestListener, RegExp]>([
  ['hangs', () => {}, /cannot be reached: nothing moved for 0.05 s; look at the network/],
  ['hangs in its answer', (_request, response) => void response.write('{'), /cannot be reached/],
])('a server that %s is given up after a while', async (_, listener, message) => {
  answer = listener;
  await expect(ask({ idleMs: 50 })).rejects.toThrow(message);
});

it.each<[string, RequestListener, RegExp]>([
  ['cuts the connection', (request) => void request.socket.destroy(), /cannot be reached/],
  ['answers too much', (_request, response) => void response.end('"x"'.repeat(99)), /longer than 100 characters/],
  ['answers no JSON', (_request, response) => void response.end('<html>'), /no JSON; look again/],
  ['answers nothing', (_request, response) => void response.end(), /no JSON/],
])('a server that %s is tried again', async (_, listener, message) => {
  answer = listener;
  const error = await ask().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ kind: 'unreachable', holdMs: 0, message: expect.stringMatching(message) });
});

it('nothing is an answer where the tracker takes it for one', async () => {
  answer = (_request, response) => void response.end();
  expect(await ask({ empty: {} })).toEqual({});
});

it('what a server repeats of the secret is in no message, and its word is kept', async () => {
  answer = (_request, response) => void response.writeHead(400).end('{"said":"not hidden"}');
  await expect(ask()).rejects.toMatchObject({
    kind: 'refused',
    code: 'CODE',
    message: `${url} answered 400 to log (not [redacted]); r`,
  });
});

it('an abort is thrown as it is, not as a fault of the server', async () => {
  const abort = new AbortController();
  answer = () => abort.abort(new Error('the run is deleted'));
  await expect(ask({}, abort.signal)).rejects.toThrow('the run is deleted');
});
