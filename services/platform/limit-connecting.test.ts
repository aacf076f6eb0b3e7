import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { limitConnecting } from './limit-connecting.ts';

const toClose: { close: () => void }[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const each of toClose.splice(0)) each.close();
});
const outcome = (request: http.ClientRequest) =>
  new Promise<string>((resolve) => {
    request
      .on('error', (error) => resolve(error.message))
      .on('response', (response) => resolve(`${response.statusCode}`));
    request.end();
  });
const tooLong = () => new Error('no connection');

describe('limitConnecting', () => {
  it('gives up a name that is never looked up', async () => {
    const request = http.request({ host: 'store.test', lookup: () => undefined });
    limitConnecting(request, 20, tooLong);
    expect(await outcome(request)).toBe('no connection');
  });

  it('gives up a server that takes the connection and never begins TLS', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    toClose.push(silent);
    await once(silent, 'listening');
    const request = https.request({ host: '127.0.0.1', port: (silent.address() as AddressInfo).port });
    limitConnecting(request, 50, tooLong);
    expect(await outcome(request)).toBe('no connection');
  });

  it('leaves the time of an answer and the wait for a connection alone', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const server = http.createServer((_request, response) => {
      vi.advanceTimersByTime(1000);
      response.end();
    });
    server.listen(0, '127.0.0.1');
    toClose.push(server);
    await once(server, 'listening');
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const ask = () => {
      const request = http.request({ host: '127.0.0.1', port: (server.address() as AddressInfo).port, agent });
      request.on('response', (response) => response.resume());
      limitConnecting(request, 20, tooLong);
      return outcome(request);
    };
    // The second waits for the connection of the first.
    expect(await Promise.all([ask(), ask()])).toEqual(['200', '200']);
    agent.destroy();
  });
});
