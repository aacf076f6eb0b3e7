import { isIP } from 'node:net';
import type { RequestHandler } from 'express';
import { ProblemError } from './problem-error.ts';

const LOOPBACK = ['localhost', '127.0.0.1', '::1'] as const;
const WILDCARDS = ['0.0.0.0', '::'] as const;
const SAFE_METHODS = ['GET', 'HEAD'] as const;

export interface HostGuardOptions {
  /** Address the server is bound to. */
  address: string;
  /** Host names served besides (`TANDEM_ALLOWED_HOSTS`), without port. */
  allowedHosts: readonly string[];
}

/**
 * Refuses requests that a web page of somebody else makes a user's browser send: by DNS rebinding, which shows in the Host header, and across sites,
 * which shows in Origin. Rebinding needs a name, so where the server listens on every address, any address may be written as Host.
 */
export function hostGuard({ address, allowedHosts }: HostGuardOptions): RequestHandler {
  const allowed = new Set([...LOOPBACK, address, ...allowedHosts].map((host) => host.toLowerCase()));
  const anyAddress = (WILDCARDS as readonly string[]).includes(address);

  return function guardHost(request, _response, next) {
    const hosts = request.headersDistinct['host'] ?? [];
    const host = hosts.length === 1 ? hostName(hosts[0] ?? '') : undefined;
    if (host === undefined)
      throw new ProblemError('forbidden-host', 'The request needs one well-formed Host header; send one.');
    if (!allowed.has(host) && !(anyAddress && isIP(host) !== 0)) {
      throw new ProblemError(
        'forbidden-host',
        `The host name ${host} is not served here; add it to TANDEM_ALLOWED_HOSTS if it is yours.`,
      );
    }
    if (!(SAFE_METHODS as readonly string[]).includes(request.method))
      refuseForeignOrigin(request.headers.origin, hosts[0] ?? '');
    next();
  };
}

function refuseForeignOrigin(origin: string | undefined, host: string): void {
  if (origin === undefined) return;
  const own = URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
  if (!own) {
    throw new ProblemError(
      'forbidden-host',
      'The request comes from a web page of another origin; open that page from this server, or send the request without a browser.',
    );
  }
}

/** The name or address of a Host header, without port and brackets, in lower case; undefined where it is malformed. */
function hostName(header: string): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(header);
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, '');
}
