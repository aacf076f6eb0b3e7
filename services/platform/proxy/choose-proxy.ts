/** Which proxies lead out of a network, as `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say. */
export interface ProxySettings {
  /** For https URLs. It may hold a user and a password. Null: they are reached directly. */
  https: URL | null;
  /** For http URLs. */
  http: URL | null;
  /** Hosts that are reached directly: `example.org` and all below it, `example.org:8443`, an address, or `*`. */
  except: readonly string[];
}

export const noProxies: ProxySettings = { https: null, http: null, except: [] };

/** The proxy that a URL is reached through; null for none. */
export function chooseProxy(url: URL, { https, http, except }: ProxySettings): URL | null {
  const proxy = url.protocol === 'https:' ? https : http;
  return proxy === null || except.some((each) => isAbout(url, each)) ? null : proxy;
}

function isAbout(url: URL, written: string): boolean {
  if (written === '*') return true;
  const [, bare = '', port] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(asSingleColon(written)) ?? [];
  const host = bare.toLowerCase().replace(/^\*?\./, '');
  const wanted = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  if (port !== undefined && Number(port) !== portOf(url)) return false;
  return host !== '' && (wanted === host || wanted.endsWith(`.${host}`));
}

/** An IPv6 address without brackets has no port. */
function asSingleColon(written: string): string {
  return !written.startsWith('[') && written.split(':').length > 2 ? `[${written}]` : written;
}

/** Of a URL, also where that is the usual one. */
export function portOf({ protocol, port }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
