import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import tls from 'node:tls';
import { CONNECT_MS, limitConnecting } from '../limit-connecting.ts';

/** How long a proxy may take to reach the other side, in milliseconds. */
const TUNNEL_MS = 3 * CONNECT_MS;

/** What of a request says where its connection leads. */
interface Target {
  host: string;
  port: number;
  /** Empty for an address. */
  servername?: string | undefined;
  ca?: tls.ConnectionOptions['ca'];
}

/**
 * An agent whose connections go through a proxy: a tunnel by CONNECT (RFC 9110, 9.3.6), for http as for https, so that the proxy sees neither headers nor
 * bytes of what is encrypted, and looks the name up itself. Idle connections are kept, and do not keep the process alive.
 * @param secure whether the other side is spoken to over TLS
 */
export function createTunnelAgent(proxy: URL, secure: boolean): http.Agent {
  const agent = secure ? new https.Agent({ keepAlive: true }) : new http.Agent({ keepAlive: true });
  agent.createConnection = (options, callback) => {
    const target = options as Target;
    openTunnel(proxy, target)
      .then((socket) => (secure ? encrypted(socket, target) : socket))
      .then(
        (socket) => callback?.(null, socket),
        (error: Error) => callback?.(error, undefined as unknown as Socket),
      );
    return undefined;
  };
  return agent;
}

/** A connection to `host` through the proxy. @throws Error that names the proxy, never its password */
async function openTunnel(proxy: URL, { host, port }: Pick<Target, 'host' | 'port'>): Promise<Socket> {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const through = `the proxy ${proxy.host}`;
  const request = (proxy.protocol === 'https:' ? https : http).request({
    hostname: proxy.hostname.replace(/^\[|\]$/g, ''),
    port: proxy.port || (proxy.protocol === 'https:' ? 443 : 80),
    method: 'CONNECT',
    path: authority,
    headers: { host: authority, ...authorization(proxy) },
    agent: false,
  });
  limitConnecting(request, CONNECT_MS, () => new Error(`no connection to ${through} within ${CONNECT_MS / 1000} s`));
  request.setTimeout(TUNNEL_MS, () => request.destroy(new Error(`${through} has not answered`)));
  return await new Promise<Socket>((resolve, reject) => {
    request.once('connect', ({ statusCode = 0 }, socket: Socket) => {
      socket.setTimeout(0);
      if (statusCode >= 200 && statusCode < 300) return resolve(socket);
      socket.destroy();
      reject(new Error(`${through} answered ${statusCode}${hints[statusCode] ?? ''}`));
    });
    // A server that knows no CONNECT takes it for a request.
    request.once('response', (response) => {
      response.destroy();
      reject(new Error(`${through} is none: it answered ${response.statusCode ?? 0} to CONNECT`));
    });
    request.once('error', ({ message }) =>
      reject(new Error(message.includes(through) ? message : `${through}: ${message}`)),
    );
    request.end();
  });
}

const hints: Readonly<Record<number, string>> = {
  403: ': it does not let this host through',
  407: ': it asks for a user and a password, as in HTTPS_PROXY=http://user:password@proxy:3128',
};

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const plain = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(plain).toString('base64')}` };
}

/** Its certificate has to name the host, also where that is an address, which is not sent as a name. */
async function encrypted(socket: Socket, { host, servername, ca }: Target): Promise<Socket> {
  const name = servername === undefined || servername === '' ? {} : { servername };
  const secure = tls.connect({ socket, host, ...name, ALPNProtocols: ['http/1.1'], ...(ca !== undefined && { ca }) });
  const timer = setTimeout(() => secure.destroy(new Error(`no TLS within ${CONNECT_MS / 1000} s`)), CONNECT_MS);
  try {
    return await new Promise<Socket>((resolve, reject) => {
      secure.once('secureConnect', () => resolve(secure));
      secure.once('error', reject);
    });
  } finally {
    clearTimeout(timer);
  }
}
