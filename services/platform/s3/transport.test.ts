import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it, vi } from 'vitest';
import { isTransient } from './s3-failure.ts';
import { s3Transport } from './transport.ts';

afterEach(() => {
  vi.useRealTimers();
});

async function silentServer() {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port }, close };
}

it('a connection that stands still ends with an error that is tried again', async () => {
  const silent = await silentServer();
  const error = await new Promise<Error>((resolve, reject) => {
    const request = s3Transport('http:', 20).request(silent.address, () => reject(new Error('answered')));
    request.on('error', resolve).end();
  });
  expect(error).toMatchObject({ code: 'ETIMEDOUT' });
  expect(isTransient(error)).toBe(true);
  await silent.close();
});

it('a connection that does not come about ends after ten seconds with an error that is tried again', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const failed = new Promise<Error>((resolve) => {
    const request = s3Transport('http:', 60_000).request(
      { host: 'store.test', lookup: () => undefined },
      () => undefined,
    );
    request.on('error', resolve).on('socket', () => setImmediate(() => vi.advanceTimersByTime(10_000)));
    request.end();
  });
  expect(await failed).toMatchObject({ code: 'ETIMEDOUT', message: 'no connection within 10 seconds' });
});

it('only the joining of parts may take long, not the beginning of an upload', async () => {
  const silent = await silentServer();
  const failed: string[] = [];
  const post = (path: string) =>
    new Promise<void>((resolve) => {
      const request = s3Transport('http:', 20).request({ method: 'POST', path, ...silent.address }, () => undefined);
      request.on('error', () => resolve(void failed.push(path)));
      request.end();
    });
  const join = post('/tandem/k?uploadId=u');
  await post('/tandem/k?uploads');
  await post('/tandem/k?uploads');
  expect(failed).toEqual(['/tandem/k?uploads', '/tandem/k?uploads']);
  await silent.close();
  await join;
});
