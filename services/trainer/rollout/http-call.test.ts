import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { httpCall } from './http-call.ts';

const never = new AbortController().signal;
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Answers each connection's requests in turn; null breaks the connection off, as does an answer that is not whole. */
async function serve(...connections: (string | null)[][]) {
  let opened = 0;
  const server = createServer((socket) => {
    const answers = [...(connections[opened++] ?? [])];
    socket.on('error', () => undefined);
    socket.on('data', () => {
      const answer = answers.shift() ?? null;
      if (answer === null) socket.resetAndDestroy();
      else if (answer.endsWith('ok')) socket.write(answer);
      else socket.end(answer);
    });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  return { opened: () => opened, ask: () => httpCall({ url, body: {}, timeoutMs: 2000, signal: never }) };
}
const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok';

test('a kept connection that turns out to be closed is replaced', async () => {
  const { ask, opened } = await serve([ok, null], [ok]);
  expect([(await ask()).text, (await ask()).text, opened()]).toEqual(['ok', 'ok', 2]);
});

test('a new connection that is closed is not tried again', async () => {
  const { ask, opened } = await serve([null], [ok]);
  await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' });
  expect(opened()).toBe(1);
});

test('an answer that breaks off is no answer', async () => {
  const { ask } = await serve(['HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"choices"']);
  await expect(ask()).rejects.toMatchObject({ code: 'ECONNRESET' });
});
