import type { IncomingMessage } from 'node:http';
import { ProblemError } from './problem-error.ts';

/**
 * The bytes of a request body, never more than `limit` of them in memory. What an oversized body still sends is discarded by Node, so that
 * the client can read the answer.
 * @throws ProblemError payload-too-large, unsupported-media-type (compressed), invalid-request (cut off).
 */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new ProblemError('unsupported-media-type', `The body is compressed (${encoding}); send it uncompressed.`);
  }
  if (Number(request.headers['content-length'] ?? 0) > limit) throw tooLarge(limit);
  return await collect(request, limit);
}

function collect(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    const settle = (end: () => void) => {
      request.off('data', onData).off('end', onEnd).off('error', onCut).off('close', onCut);
      end();
    };
    const onData = (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limit) {
        chunks.push(chunk);
        return;
      }
      settle(() => reject(tooLarge(limit)));
      request.resume();
    };
    const onEnd = () => settle(() => resolve(Buffer.concat(chunks)));
    const onCut = () =>
      settle(() => {
        request.on('error', () => undefined);
        reject(new ProblemError('invalid-request', 'body: was cut off before its end; send the request again.'));
      });
    request.on('data', onData).on('end', onEnd).on('error', onCut).on('close', onCut);
  });
}

function tooLarge(limit: number): ProblemError {
  return new ProblemError(
    'payload-too-large',
    `The body is larger than ${inUnits(limit)}, the most that is read here.`,
  );
}

/** `1 MiB`, `64 KiB`, `100 bytes`. */
export function inUnits(bytes: number): string {
  if (bytes % 1_048_576 === 0) return `${bytes / 1_048_576} MiB`;
  return bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`;
}
