import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { isTransient } from './s3-failure.ts';
import { s3Transport } from './transport.ts';

it('a connection that stands still ends with an error that is tried again', async () => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const error = await new Promise<Error>((resolve, reject) => {
    const request = s3Transport('http:', 20).request({ host: '127.0.0.1', port }, () => reject(new Error('answered')));
    request.on('error', resolve).end();
  });
  expect(error).toMatchObject({ code: 'ETIMEDOUT' });
  expect(isTransient(error)).toBe(true);
  silent.closeAllConnections();
  await new Promise((resolve) => silent.close(resolve));
});
