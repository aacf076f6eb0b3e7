import { type AddressInfo, createServer } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { answerOf, openRequest } from './exchange.ts';

afterEach(() => {
  vi.useRealTimers();
});

it('a connection that does not come about within ten seconds is given up', async () => {
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}/tandem/k`;
  const request = openRequest(url, {
    method: 'GET',
    headers: {},
    signal: new AbortController().signal,
    idleMs: 60_000,
  });
  request.on('socket', () => setImmediate(() => vi.advanceTimersByTime(10_000)));
  request.end();
  await expect(answerOf(request)).rejects.toThrow('no connection within 10 s');
  silent.close();
});
