import type { ClientRequest } from 'node:http';

/** A server that is there takes a connection within a round trip, or two and a half with TLS. */
export const CONNECT_MS = 10_000;

/**
 * Gives a request up whose connection does not stand within `ms`: the look-up of the name, TCP and TLS together. Node's own `setTimeout` of a request
 * begins only when TCP is connected; until then the kernel tries for two minutes. Waiting for a free connection of the agent does not count.
 */
export function limitConnecting(request: ClientRequest, ms: number, timedOut: () => Error): void {
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(() => request.destroy(timedOut()), ms);
    const stop = () => clearTimeout(timer);
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', stop);
    request.once('close', stop);
  });
}
