import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Makes a port of this machine's loopback reachable under another of its addresses too. */
export async function exposePort(address: string, port: number): Promise<{ origin: string; close(): void }> {
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    near.pipe(far).pipe(near);
    near.once('error', () => far.destroy()).once('close', () => far.destroy());
    far.once('error', () => near.destroy()).once('close', () => near.destroy());
  });
  await once(server.listen(port, address), 'listening');
  server.unref();
  return { origin: `http://${address}:${port}`, close: () => void server.close() };
}

/** An address of this machine that is not loopback; null without a network. */
export function outsideAddress(): string | null {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? null;
}
