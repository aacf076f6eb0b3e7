import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Fault, type FaultRule, faultChooser } from './fault-rules.ts';
import { requestName, type S3Operation, type S3Request, s3Request } from './s3-request.ts';

/** One request as it passed. */
export interface Passage extends S3Request {
  method: string;
  faults: Fault[];
  /** Null where nobody answered. */
  status: number | null;
  /** Bytes of the bodies: as the client sent them, and as it was sent. */
  up: number;
  down: number;
}

/** A proxy before an S3 server. Clients sign for its address; Host and signature pass through as they are. */
export interface FaultProxy {
  /** `http://127.0.0.1:<port>`, the same for ever. */
  endpoint: string;
  /** From now on these rules hold. */
  inject(rules: readonly FaultRule[], seed?: number): void;
  /** Cuts every connection and refuses new ones until `up`. */
  down(): Promise<void>;
  up(): Promise<void>;
  /** Every request so far, in order of arrival. */
  passages: Passage[];
  /** How often each kind of fault was done. */
  done(): Record<string, number>;
  keys(operation: S3Operation): string[];
  close(): Promise<void>;
}

/** @param upstream address of the real server, `http://127.0.0.1:9000` */
export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const { hostname, port } = new URL(upstream);
  const passages: Passage[] = [];
  const sockets = new Set<Socket>();
  let choose = faultChooser([], 0);
  let server = await listen(0);
  const address = server.address() as AddressInfo;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '/' } = request;
    const asked = s3Request(method, url);
    const faults = choose(asked, requestName(method, url));
    const passage: Passage = { ...asked, method, faults, status: null, up: 0, down: 0 };
    passages.push(passage);
    const find = <K extends Fault['kind']>(kind: K) =>
      faults.find((fault): fault is Extract<Fault, { kind: K }> => fault.kind === kind);

    const late = find('late');
    if (late) await sleep(late.milliseconds);
    const act = find('act');
    if (act?.when === 'before') await act.act();
    const reset = find('reset');
    if (reset?.when === 'before') return cut(request);
    const answer = find('answer');
    if (answer || reset?.when === 'after') {
      for await (const _ of sent(request, passage));
      if (!answer) return cut(request);
      passage.status = answer.status;
      response.writeHead(answer.status, { 'content-type': 'application/xml' });
      response.end(method === 'HEAD' ? undefined : s3Error(answer.code));
      return;
    }

    const length = Number(request.headers['content-length'] ?? 0);
    let body = sent(request, passage);
    if (find('flipped')?.of === 'request') body = flipped(body, Math.floor(length / 2));
    const slow = find('slow');
    if (slow) body = throttled(body, slow.bytesPerSecond);
    const within = reset?.when === 'within';
    if (within) body = firstBytes(body, Math.floor(length / 2));
    const passed = httpRequest({ hostname, port, method, path: url, headers: request.rawHeaders, agent: false });
    request.on('aborted', () => passed.destroy());
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      passed.once('response', resolve).on('error', reject);
    });
    answered.catch(() => undefined);
    // A server that answers before it has read everything ends the pipe, not the request.
    await pipeline(Readable.from(body), passed, { end: false }).catch(() => undefined);
    if (within) {
      passed.destroy();
      return cut(request);
    }
    passed.end();
    const reply = await answered;
    if (act?.when === 'after') await act.act();
    if (find('lost reply')) {
      for await (const _ of reply);
      return cut(request);
    }
    passage.status = reply.statusCode ?? null;
    await answerWith(reply, passage, request, response);
  }

  async function answerWith(
    reply: IncomingMessage,
    passage: Passage,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const has = (kind: Fault['kind']) => passage.faults.find((fault) => fault.kind === kind);
    const length = passage.method === 'HEAD' ? 0 : Number(reply.headers['content-length'] ?? 0);
    const flip = has('flipped');
    const slow = has('slow');
    let body: AsyncIterable<Buffer> = reply;
    if (flip?.kind === 'flipped' && flip.of === 'response') body = flipped(body, Math.floor(length / 2));
    if (slow?.kind === 'slow') body = throttled(body, slow.bytesPerSecond);
    if (has('truncated')) body = firstBytes(body, Math.floor(length / 2));
    response.writeHead(reply.statusCode ?? 502, reply.rawHeaders);
    response.flushHeaders();
    const counted = async function* () {
      for await (const chunk of body) {
        passage.down += chunk.length;
        yield chunk;
      }
    };
    await pipeline(Readable.from(counted()), response, { end: false });
    if (has('truncated')) return void request.socket.end(() => request.socket.destroy());
    response.end();
  }

  async function listen(port: number): Promise<Server> {
    const started = createServer((request, response) => {
      handle(request, response).catch(() => cut(request));
    });
    // An idle connection that ends just as it is used again would be a fault that nobody asked for.
    started.keepAliveTimeout = 600_000;
    started.on('connection', (socket: Socket) => {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket)).on('error', () => undefined);
    });
    await new Promise<void>((resolve, reject) => {
      started.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    return started;
  }

  async function down(): Promise<void> {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.resetAndDestroy();
    await closed;
  }

  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    inject(rules, seed = 0) {
      choose = faultChooser(rules, seed);
    },
    down,
    async up() {
      server = await listen(address.port);
    },
    passages,
    done() {
      const counts: Record<string, number> = {};
      for (const { kind } of passages.flatMap(({ faults }) => faults)) counts[kind] = (counts[kind] ?? 0) + 1;
      return counts;
    },
    keys: (operation) => [
      ...new Set(passages.filter((passage) => passage.operation === operation).map(({ key }) => key)),
    ],
    close: () => (server.listening ? down() : Promise.resolve()),
  };
}

function cut(request: IncomingMessage): void {
  request.socket.resetAndDestroy();
}

function s3Error(code: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>injected</Message></Error>`;
}

/** The body as the client sends it. Who stops reading leaves the connection as it is, to be reset. */
async function* sent(request: IncomingMessage, passage: Passage): AsyncGenerator<Buffer> {
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    passage.up += (chunk as Buffer).length;
    yield chunk as Buffer;
  }
}

async function* flipped(body: AsyncIterable<Buffer>, at: number): AsyncGenerator<Buffer> {
  let seen = 0;
  for await (const chunk of body) {
    const copy = Buffer.from(chunk);
    if (at >= seen && at < seen + copy.length) copy[at - seen]! ^= 1;
    seen += copy.length;
    yield copy;
  }
}

async function* firstBytes(body: AsyncIterable<Buffer>, count: number): AsyncGenerator<Buffer> {
  let left = count;
  for await (const chunk of body) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}

const MOST_AT_ONCE = 16 * 1024;
async function* throttled(body: AsyncIterable<Buffer>, bytesPerSecond: number): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += MOST_AT_ONCE) {
      const piece = chunk.subarray(at, at + MOST_AT_ONCE);
      yield piece;
      await sleep((1000 * piece.length) / bytesPerSecond);
    }
  }
}
