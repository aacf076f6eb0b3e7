import type { IncomingMessage } from 'node:http';
import { ApiError, malformed } from './api-error.ts';

/**
 * Reads and parses a JSON body.
 * @throws ApiError 400 for another content type, bad UTF-8 or bad JSON, 413 for more than `maxBytes`.
 */
export async function readJsonBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const type = (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  if (type !== 'application/json') throw malformed("Unsupported Media Type: Only 'application/json' is allowed");
  const text = decode(await readBytes(request, maxBytes));
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(`JSON decode error: ${error instanceof Error ? error.message : 'the body is not JSON'}`);
  }
}

async function readBytes(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Left open when it is refused half way: the answer goes out over the same connection.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      const limit = Math.floor(maxBytes / 2 ** 20);
      throw new ApiError(413, 'Request Entity Too Large', `the body is larger than ${limit} MiB: send fewer prompts`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw malformed('JSON decode error: the body is not UTF-8');
  }
}
