import { type IncomingMessage, request } from 'node:http';
import { API_VERSION } from './client.ts';
import { answeredError, DockerError, transportError } from './docker-error.ts';

/** Of an answer that says what went wrong. */
const MAX_ERROR_BYTES = 64 * 1024;
const HEADERS_MS = 60_000;

export interface StreamRequest {
  socketPath: string;
  /** What is done, for the messages of errors. */
  what: string;
  method: 'GET' | 'POST';
  /** Below the version, with its query. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  signal: AbortSignal;
  /** How long the daemon may take until it begins to answer; the answer itself may take for ever. */
  headersMs?: number;
}

/**
 * Opens one of the answers that come bit by bit. When it resolves, the daemon has begun to answer. Read what it gives to the end, or abort the signal.
 * What it gives throws `DockerError` when the connection breaks, and the signal's reason once that is aborted.
 */
export async function openStream(options: StreamRequest): Promise<AsyncGenerator<Buffer, void, undefined>> {
  const { what, signal } = options;
  signal.throwIfAborted();
  const response = await send(options);
  const status = response.statusCode ?? 0;
  const chunks = readChunks(response, options);
  if (status >= 200 && status < 300) return chunks;
  throw answeredError(what, status, await readMessage(chunks));
}

function send(options: StreamRequest): Promise<IncomingMessage> {
  const { socketPath, what, method, path, headers = {}, signal, headersMs = HEADERS_MS } = options;
  return new Promise((resolve, reject) => {
    // No agent: a stream has a connection of its own, which ends with it.
    const outgoing = request({ socketPath, method, path: `/${API_VERSION}${path}`, headers, signal, agent: false });
    const timer = setTimeout(() => {
      const limit = `within ${headersMs / 1000} s`;
      outgoing.destroy(new DockerError('timeout', `${what}: the Docker daemon did not begin to answer ${limit}.`));
    }, headersMs);
    outgoing.once('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    outgoing.on('error', (error) => {
      clearTimeout(timer);
      if (signal.aborted) reject(signal.reason);
      else reject(error instanceof DockerError ? error : transportError(what, socketPath, error));
    });
    outgoing.end();
  });
}

async function* readChunks(
  response: IncomingMessage,
  { what, socketPath, signal }: StreamRequest,
): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const chunk of response) yield chunk as Buffer;
  } catch (error) {
    signal.throwIfAborted();
    throw transportError(what, socketPath, error);
  } finally {
    response.destroy();
  }
}

async function readMessage(chunks: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    pieces.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_ERROR_BYTES) break;
  }
  const text = Buffer.concat(pieces).toString('utf8');
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : text;
  } catch {
    return text;
  }
}
