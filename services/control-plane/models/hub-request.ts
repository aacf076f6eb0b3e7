import { lookup } from 'node:dns/promises';
import type { Agent, IncomingMessage } from 'node:http';
import { lookupAllowed, refuseAddress } from '../../platform/address-policy.ts';
import { chooseProxy, noProxies, type ProxySettings } from '../../platform/proxy/choose-proxy.ts';
import { createTunnelAgent } from '../../platform/proxy/tunnel-agent.ts';
import { answerOf, openRequest } from '../../platform/transfer/exchange.ts';
import { placeOf } from '../../platform/transfer/transfer-error.ts';
import { ModelFetchError } from './model-fetch-error.ts';

/** A model hub, and who asks it. */
export interface HubAccess {
  /** Without a slash at its end. */
  endpoint: string;
  token: string | null;
  /** Left out: it is reached directly. */
  proxies?: ProxySettings;
}

export interface HubRequest {
  access: HubAccess;
  /** Of `createHubAgents`. */
  agents: HubAgents;
  method?: 'GET' | 'HEAD';
  headers?: Record<string, string>;
  signal: AbortSignal;
  idleMs: number;
}

const MOST_REDIRECTS = 5;

/** An answer of the hub, or of the server that it has led to. */
export interface HubAnswer {
  response: IncomingMessage;
  url: string;
  /** Whether it comes from the hub's own host. */
  isHub: boolean;
  /** Headers of the hub itself: where it leads elsewhere, they say what is to be found there. */
  hub: IncomingMessage['headers'];
}

/**
 * One request to a hub, which may lead to another server. The token goes to the hub's own host alone, never on to where it leads; that may be no address that is
 * refused to users either, and not without encryption where the hub is encrypted.
 * @throws ModelFetchError unreachable or refused
 */
export async function askHub(
  path: string,
  { access, agents, method = 'GET', headers, signal, idleMs }: HubRequest,
): Promise<HubAnswer> {
  const home = new URL(access.endpoint);
  let url = new URL(`${access.endpoint}${path}`);
  let hub: IncomingMessage['headers'] = {};
  for (let redirects = 0; ; redirects += 1) {
    const isHub = url.origin === home.origin;
    const response = await request(url, {
      method,
      headers: {
        'accept-encoding': 'identity',
        'user-agent': 'tandem',
        ...headers,
        ...(isHub && access.token !== null ? { authorization: `Bearer ${access.token}` } : {}),
      },
      signal,
      idleMs,
      agents,
    });
    if (isHub) hub = { ...hub, ...response.headers };
    const { statusCode = 0, headers: answered } = response;
    if (![301, 302, 303, 307, 308].includes(statusCode)) return { response, url: url.href, isHub, hub };
    response.resume();
    if (redirects === MOST_REDIRECTS) {
      throw new ModelFetchError('refused', `${placeOf(url.href)} leads on and on; look whether HF_ENDPOINT is right`);
    }
    const next = nextUrl(url, answered.location, home);
    // Such a link is signed for GET alone, and what the hub itself says is enough.
    if (method === 'HEAD' && next.origin !== home.origin) return { response, url: url.href, isHub, hub };
    url = next;
  }
}

function nextUrl(from: URL, location: string | undefined, home: URL): URL {
  const led = `${placeOf(from.href)} leads to`;
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new ModelFetchError('refused', `${led} no address; look whether HF_ENDPOINT is right`);
  }
  const next = new URL(location, from);
  const isWeb = next.protocol === 'https:' || (next.protocol === 'http:' && home.protocol === 'http:');
  if (!isWeb) {
    throw new ModelFetchError(
      'refused',
      `${led} ${next.protocol}//${next.host}, which is not encrypted as the hub is; it is not followed`,
    );
  }
  const refusal = refuseAddress(next.hostname.replace(/^\[|\]$/g, ''));
  if (refusal !== null) throw new ModelFetchError('refused', `${led} another server: ${refusal}`);
  return next;
}

async function request(
  url: URL,
  options: {
    method: 'GET' | 'HEAD';
    headers: Record<string, string>;
    signal: AbortSignal;
    idleMs: number;
    agents: HubAgents;
  },
): Promise<IncomingMessage> {
  const { agents, ...rest } = options;
  const { signal } = rest;
  const agent = agents(url);
  if (agent !== undefined) await refuseName(url);
  signal.throwIfAborted();
  const sent = openRequest(url.href, { ...rest, lookup: lookupAllowed, ...(agent !== undefined && { agent }) });
  sent.end();
  try {
    return await answerOf(sent);
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(url.href, error);
  }
}

/** A proxy looks names up itself. What this machine knows of them is held against the same policy; a name that it cannot look up is the proxy's to judge. */
async function refuseName({ hostname, host }: URL): Promise<void> {
  const found = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true }).catch(() => []);
  const refusal = found.map(({ address }) => refuseAddress(address)).find((each) => each !== null);
  if (refusal != null) throw new ModelFetchError('refused', `${host}: ${refusal}`);
}

/** Whose connections a URL is asked over; undefined for one that is reached directly. */
export type HubAgents = (url: URL) => Agent | undefined;

/** A tunnel's connections are kept for as long as the client of the hub. */
export function createHubAgents(proxies: ProxySettings = noProxies): HubAgents {
  const agents = new Map<string, Agent>();
  return (url) => {
    const proxy = chooseProxy(url, proxies);
    if (proxy === null) return undefined;
    const agent = agents.get(url.protocol) ?? createTunnelAgent(proxy, url.protocol === 'https:');
    agents.set(url.protocol, agent);
    return agent;
  };
}

export function unreachable(url: string, cause: unknown): ModelFetchError {
  const why = cause instanceof Error ? cause.message : String(cause);
  const remedy = 'look whether this machine may reach it, or set HF_ENDPOINT to a mirror';
  return new ModelFetchError('unreachable', `${placeOf(url)} cannot be reached: ${why}; ${remedy}`, { cause });
}
