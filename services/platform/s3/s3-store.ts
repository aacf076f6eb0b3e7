import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import {
  type ByteRange,
  checkObjectKey,
  checkObjectPrefix,
  ObjectNotFoundError,
  type ObjectStore,
  type ObjectTransfers,
} from '../object-store.ts';
import { contentTypeOf } from './content-type.ts';
import { multipartOf } from './multipart.ts';
import { putStream } from './put-stream.ts';
import { readObject } from './read-object.ts';
import { openS3Client, type S3Client, type S3Options } from './s3-client.ts';
import { hasCode } from './s3-failure.ts';
import { s3Transfers } from './s3-transfers.ts';
import { elements, textOf } from './xml.ts';

/** `conditionalWrites`: whether the store heeds `If-None-Match`, as `checkS3Store` finds out. */
export interface S3StoreOptions extends S3Options {
  conditionalWrites: boolean;
}

/** An object store in a bucket of an S3 server. Opening asks the server nothing: `checkS3Store` does. */
export function openS3Store(options: S3StoreOptions): ObjectStore & { transfers: ObjectTransfers } {
  const client = openS3Client(options);
  const multipart = multipartOf(client);
  const prefix = normalPrefix(options.prefix ?? '');
  const named = (key: string): string => {
    checkObjectKey(key);
    return prefix + key;
  };

  const put = (name: string, body: Buffer, headers: Record<string, string> = {}) =>
    client.send({ method: 'PUT', key: name, body, headers: { ...headersFor(name, body), ...headers } });
  const get = async (key: string) => (await client.send({ method: 'GET', key: named(key) })).body;
  const head = async (key: string) => {
    const name = named(key);
    try {
      const { headers } = await client.send({ method: 'HEAD', key: name });
      return { size: Number(headers['content-length']) };
    } catch (error) {
      if (isAbsent(error)) return null;
      throw error;
    }
  };

  /** Of writers with the same bytes each may be told `created` where an answer was lost: they cannot be told apart, and need not be. */
  const putIfAbsent = async (key: string, body: Buffer): Promise<'created' | 'exists'> => {
    const name = named(key);
    if (!options.conditionalWrites && (await head(key)) !== null) return 'exists';
    try {
      await put(name, body, options.conditionalWrites ? { 'if-none-match': '*' } : {});
      return 'created';
    } catch (error) {
      if (!hasCode(error, 'PreconditionFailed')) throw error;
      if (error.earlierFailures === 0) return 'exists';
      return body.equals(await get(key)) ? 'created' : 'exists';
    }
  };

  const explain = (error: unknown, key: string): never => {
    throw isAbsent(error) ? new ObjectNotFoundError(key) : client.explain(error);
  };

  return {
    async put(key, body) {
      const name = named(key);
      const work = body instanceof Uint8Array ? put(name, asBuffer(body)) : putStream(name, body, { put, multipart });
      await work.catch((error: unknown) => explain(error, key));
    },
    putIfAbsent: async (key, body) => putIfAbsent(key, asBuffer(body)).catch((error: unknown) => explain(error, key)),
    get: async (key) => get(key).catch((error: unknown) => explain(error, key)),
    read: (key, range) => readable(client, named(key), range, (error) => explain(error, key)),
    head: async (key) => head(key).catch((error: unknown) => explain(error, key)),
    async *list(below) {
      checkObjectPrefix(below);
      try {
        for await (const { key, size } of listed(client, prefix + below)) {
          const own = key.slice(prefix.length);
          if (isObjectKey(own)) yield { key: own, size };
        }
      } catch (error) {
        explain(error, below);
      }
    },
    delete: async (key) => {
      const name = named(key);
      await client.send({ method: 'DELETE', key: name }).catch((error: unknown) => {
        if (!isAbsent(error)) explain(error, key);
      });
    },
    localDirectory: () => null,
    transfers: s3Transfers(client, multipart, prefix, options.publicUrl !== null),
  };
}

/** ListObjectsV2, page by page; S3 answers in the order of the keys' bytes. */
async function* listed(client: S3Client, prefix: string): AsyncGenerator<{ key: string; size: number }> {
  let token: string | null = '';
  while (token !== null) {
    const query: Record<string, string> = {
      'list-type': '2',
      prefix,
      ...(token === '' ? {} : { 'continuation-token': token }),
    };
    const page: string = (await client.send({ method: 'GET', query })).body.toString();
    for (const item of elements(page, 'Contents')) {
      yield { key: textOf(item, 'Key') ?? '', size: Number(textOf(item, 'Size')) };
    }
    token = textOf(page, 'IsTruncated') === 'true' ? textOf(page, 'NextContinuationToken') : null;
  }
}

function readable(
  client: S3Client,
  name: string,
  range: ByteRange | undefined,
  explain: (error: unknown) => never,
): Readable {
  const chunks = async function* () {
    try {
      yield* readObject(client, name, range);
    } catch (error) {
      explain(error);
    }
  };
  return Readable.from(chunks(), { objectMode: false });
}

function headersFor(name: string, body: Buffer): Record<string, string> {
  const sha256 = createHash('sha256').update(body).digest('base64');
  return { 'content-type': contentTypeOf(name), 'x-amz-checksum-sha256': sha256 };
}

/** `a`, `a/` and `a/b` become a directory's prefix; the empty one stays. */
function normalPrefix(prefix: string): string {
  const trimmed = prefix.replace(/\/+$/, '');
  checkObjectPrefix(trimmed);
  return trimmed === '' ? '' : `${trimmed}/`;
}

/** A bucket may hold what others put there, markers of directories for example. */
function isObjectKey(key: string): boolean {
  try {
    checkObjectKey(key);
    return true;
  } catch {
    return false;
  }
}

function isAbsent(error: unknown): boolean {
  return hasCode(error, 'NoSuchKey', 'NotFound');
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
