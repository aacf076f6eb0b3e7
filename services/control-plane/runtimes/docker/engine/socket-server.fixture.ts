import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SocketServer {
  socketPath: string;
  /** Method and path of every request so far. */
  requests: string[];
  close(): Promise<void>;
}

/** An HTTP server on a unix socket of its own, which answers as the test says. */
export async function startSocketServer(
  answer: (request: IncomingMessage, response: ServerResponse, number: number) => void,
  { backlog = 511 } = {},
): Promise<SocketServer> {
  const directory = await mkdtemp(join(tmpdir(), 'socket-'));
  const socketPath = join(directory, 'docker.sock');
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(`${request.method} ${request.url}`);
    answer(request, response, requests.length);
  });
  server.listen({ path: socketPath, backlog });
  await once(server, 'listening');
  return {
    socketPath,
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
