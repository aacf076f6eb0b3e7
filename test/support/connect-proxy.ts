import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** An HTTP proxy that makes tunnels and nothing else. */
export interface ConnectProxy {
  url: string;
  /** Where tunnels were asked for, and by whom. */
  asked: { authority: string; authorization: string | null }[];
  /** What it answers instead of a tunnel; null: it makes one. */
  refuses: number | null;
  close(): Promise<void>;
}

/** @param names what host names stand for, which nobody but the proxy can look up */
export async function startConnectProxy(names: Readonly<Record<string, string>> = {}): Promise<ConnectProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((_, response) => {
    response.writeHead(405).end();
  });
  server.on('connect', ({ url = '', headers }, client: Socket) => {
    proxy.asked.push({ authority: url, authorization: headers['proxy-authorization'] ?? null });
    if (proxy.refuses !== null) return client.end(`HTTP/1.1 ${proxy.refuses} No\r\n\r\n`);
    const { hostname, port } = new URL(`http://${url}`);
    const upstream = connect(Number(port || 80), names[hostname] ?? hostname, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
    return undefined;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: ConnectProxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    refuses: null,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}
