import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ConnectProxy, startConnectProxy } from '../../../test/support/connect-proxy.ts';
import { testCertificate } from '../../../test/support/test-certificate.ts';
import { createTunnelAgent } from './tunnel-agent.ts';

const server = createServer(testCertificate, ({ socket }, response) => response.end(`${socket.remotePort}`));
let proxy: ConnectProxy;
let port: number;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
  proxy = await startConnectProxy({ 'secure.invalid': '127.0.0.1', 'other.invalid': '127.0.0.1' });
});
afterAll(async () => {
  await proxy.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const ask = (agent: ReturnType<typeof createTunnelAgent>, hostname: string) =>
  new Promise<string>((resolve, reject) => {
    const asked = request({ hostname, port, agent, ca: testCertificate.cert }, (response) => resolve(text(response)));
    asked.on('error', reject).end();
  });

test('speaks TLS to the other side of the tunnel, whose certificate must name it, over one tunnel for many requests', async () => {
  const agent = createTunnelAgent(new URL(proxy.url), true);
  const first = await ask(agent, 'secure.invalid');
  expect(await ask(agent, 'secure.invalid')).toBe(first);
  expect(proxy.asked).toEqual([{ authority: `secure.invalid:${port}`, authorization: null }]);
  await expect(ask(agent, 'other.invalid')).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  agent.destroy();
});
