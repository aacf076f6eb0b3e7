import { type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

/** A Docker daemon's API as it is on the wire, without a client's interpretation. */
export interface DockerCaller {
  /** Resolves with the whole answer. `body`: JSON, or bytes as they are. */
  call(method: string, path: string, body?: unknown): Promise<DockerAnswer>;
  /** Resolves when the head of the answer is there. */
  open(method: string, path: string): Promise<IncomingMessage>;
}

export interface DockerAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  bytes: Buffer;
  // biome-ignore lint/suspicious/noExplicitAny: what a daemon answers, as a test expects it
  json: any;
}

export function dockerCaller(socketPath: string): DockerCaller {
  const send = (method: string, path: string, body?: unknown) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const type = Buffer.isBuffer(body) ? 'application/x-tar' : 'application/json';
      const headers = bytes === undefined ? {} : { 'content-type': type, 'content-length': String(bytes.length) };
      const outgoing = request({ socketPath, method, path: `/v1.41${path}`, headers, agent: false }, resolve);
      outgoing.once('error', reject).end(bytes);
    });
  return {
    async call(method, path, body) {
      const incoming = await send(method, path, body);
      const bytes = await buffer(incoming);
      const isJson = incoming.headers['content-type']?.startsWith('application/json') === true;
      const json =
        isJson && bytes.length > 0 && !/\n./.test(bytes.toString().trim()) ? JSON.parse(bytes.toString()) : null;
      return { status: incoming.statusCode ?? 0, headers: incoming.headers, bytes, json };
    },
    open: (method, path) => send(method, path),
  };
}

export interface LogFrame {
  stream: number;
  text: string;
}

/** The frames of a container's log. */
export function readFrames(bytes: Buffer): LogFrame[] {
  const frames: LogFrame[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    frames.push({ stream: bytes.readUInt8(at), text: bytes.subarray(at + 8, end).toString() });
    at = end;
  }
  return frames;
}
