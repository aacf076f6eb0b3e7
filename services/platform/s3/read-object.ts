import type { IncomingMessage } from 'node:http';
import type { ByteRange } from '../object-store.ts';
import type { S3Client } from './s3-client.ts';
import { retrying } from './s3-client.ts';
import { hasCode, isTransient } from './s3-failure.ts';

/**
 * The bytes of an object or of a range. A connection that breaks off is opened again at the byte it had reached, of the same object: one that was
 * replaced meanwhile is an error (`PreconditionFailed`) rather than a mixture.
 */
export async function* readObject(
  client: S3Client,
  key: string,
  range: ByteRange | undefined,
): AsyncGenerator<Buffer, void> {
  let at = range?.start ?? 0;
  let etag: string | undefined;
  for (;;) {
    const before = at;
    let response: IncomingMessage;
    try {
      response = await retrying(client.retry, () =>
        client.open({ method: 'GET', key, headers: headersFor(at, range, etag) }),
      );
    } catch (error) {
      // A range behind the end holds nothing, as in a file.
      if (hasCode(error, 'InvalidRange')) return;
      throw error;
    }
    etag = response.headers.etag;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        at += chunk.length;
        yield chunk;
      }
      return;
    } catch (error) {
      if (range !== undefined && at > range.end) return;
      if (!isTransient(error) || at === before) throw error;
    }
  }
}

function headersFor(at: number, range: ByteRange | undefined, etag: string | undefined): Record<string, string> {
  return {
    ...(at > 0 || range !== undefined ? { range: `bytes=${at}-${range?.end ?? ''}` } : {}),
    ...(etag === undefined ? {} : { 'if-match': etag }),
  };
}
