import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { bodySender, type DockerFault, requestName } from './faults.ts';
import { type DockerRequest, type Reply, readRequest } from './http.ts';
import { Refusal } from './state.ts';

export interface ServerParts {
  socketPath: string;
  route: (request: DockerRequest) => Promise<Reply>;
  chooseFaults: (request: DockerRequest) => DockerFault[];
  /** The name of every request. */
  note: (name: string) => void;
}

/** The daemon's socket: opened and closed as often as the daemon is. */
export interface FakeServer {
  isOpen(): boolean;
  open(): Promise<void>;
  /** All connections are reset, in the middle of whatever they do. */
  close(): Promise<void>;
}

export function fakeServer({ socketPath, route, chooseFaults, note }: ServerParts): FakeServer {
  const sockets = new Set<Socket>();
  let server: Server | null = null;
  const underWay = new Set<AbortController>();

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const asked = server;
    const gone = new AbortController();
    underWay.add(gone);
    outgoing.once('close', () => {
      underWay.delete(gone);
      gone.abort();
    });
    let request: DockerRequest;
    try {
      request = readRequest(incoming);
    } catch (error) {
      return send(outgoing, refusalReply(error), [], gone.signal);
    }
    note(requestName(request));
    const faults = chooseFaults(request);
    for (const fault of faults) {
      if (fault.kind === 'hang') return;
      if (fault.kind === 'late') await sleep(fault.milliseconds);
      if (fault.kind === 'act' && fault.when === 'before') await fault.act();
      if (fault.kind === 'cut' && fault.when === 'before') return reset(outgoing);
      if (fault.kind === 'answer') {
        const refusal = new Refusal(fault.status, fault.message ?? 'a fault of the test');
        return send(outgoing, refusalReply(refusal), [], gone.signal);
      }
    }
    // A daemon that was killed does not do what it has not begun; one whose client has left does.
    if (server !== asked) return;
    const reply = await route(request).catch(refusalReply);
    for (const fault of faults) {
      if (fault.kind === 'act' && fault.when === 'after') await fault.act();
      if (fault.kind === 'cut' && fault.when === 'after') return reset(outgoing);
    }
    await send(outgoing, reply, faults, gone.signal);
  }

  return {
    isOpen: () => server !== null,
    async open() {
      server = createServer({ requestTimeout: 0 }, (incoming, outgoing) => {
        outgoing.on('error', () => {});
        answer(incoming, outgoing).catch(() => reset(outgoing));
      });
      server.on('connection', (socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket)).on('error', () => {});
      });
      await once(server.listen(socketPath), 'listening');
    },
    async close() {
      if (server === null) return;
      const closed = once(server, 'close');
      server.close();
      server = null;
      for (const request of underWay) request.abort();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function send(
  outgoing: ServerResponse,
  reply: Reply,
  faults: readonly DockerFault[],
  gone: AbortSignal,
): Promise<void> {
  if (gone.aborted) return;
  const body = reply.json === undefined ? null : Buffer.from(`${JSON.stringify(reply.json)}\n`);
  const type = body === null ? {} : { 'content-type': 'application/json', 'content-length': String(body.length) };
  outgoing.writeHead(reply.status, { 'api-version': '1.41', server: 'Docker/fake (linux)', ...type, ...reply.headers });
  outgoing.flushHeaders();
  const sender = bodySender(faults, {
    write: (chunk) => {
      if (!outgoing.destroyed) outgoing.write(chunk);
    },
    // What was written before arrives: the connection ends behind it, without the end that chunks or a length promise.
    cut: () => outgoing.socket?.end(() => reset(outgoing)),
  });
  if (body !== null) sender.write(body);
  await reply.stream?.(sender.write, gone);
  sender.end();
  if (!gone.aborted && !faults.some(({ kind }) => kind === 'cut body')) outgoing.end();
}

function reset(outgoing: ServerResponse): void {
  outgoing.destroy();
  outgoing.socket?.destroy();
}

function refusalReply(error: unknown): Reply {
  const status = error instanceof Refusal ? error.status : 500;
  return { status, json: { message: (error as Error).message } };
}
