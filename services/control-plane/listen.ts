import type { Server } from 'node:http';

const CLOSE_GRACE_MS = 2000;

/** An address cannot be listened on; the message is one line with the remedy. */
export class ListenError extends Error {
  override readonly name = 'ListenError';
}

/** Listens and answers with the port. `explainTaken` says what to do about a port that is in use. Throws ListenError. */
export function listen(server: Server, host: string, port: number, explainTaken: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') reject(new ListenError(explainTaken));
      else if (error.code === 'EACCES') reject(new ListenError(`port ${port} needs privileges; choose one above 1023`));
      else if (error.code === 'EADDRNOTAVAIL' || error.syscall === 'getaddrinfo')
        reject(new ListenError(`${host} is not an address of this machine; choose one that it has, such as 127.0.0.1`));
      else reject(error);
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}

/** Takes no more connections; what is still being answered gets a moment, then its connection ends. */
export function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
    setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS).unref();
  });
}

/** A host as it stands in a URL. */
export function hostInUrl(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
