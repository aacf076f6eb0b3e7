import { createHash, randomUUID } from 'node:crypto';
import { StorageFaultError } from '../storage-error.ts';
import { multipartOf } from './multipart.ts';
import { openS3Client, type S3Client, type S3Options } from './s3-client.ts';
import { hasCode, isTransient } from './s3-failure.ts';

/** What a store can do, found by trying. */
export interface S3Capabilities {
  /** As it names itself, for the log. */
  server: string | null;
  /** Heeds `If-None-Match: *`. Without it `openS3Store` looks first and writes then; see README.md for what that leaves open. */
  conditionalWrites: boolean;
  /** Refuses bytes that do not have the announced sha256. Without it damage on the way is found when a checkpoint is read. */
  checksums: boolean;
}

/**
 * Tries everything a run will need, at start rather than at the first checkpoint: reaching the store, keys, clock, bucket, writing, conditional
 * writes, ranges, multipart uploads and their list, deleting. Leaves nothing behind.
 * @throws StorageFaultError with what is wrong, where, and the remedy. Its kind is `unreachable` where trying again later makes sense.
 */
export async function checkS3Store(options: S3Options & { createBucket: boolean }): Promise<S3Capabilities> {
  const client = openS3Client(options);
  const prefix = (options.prefix ?? '').replace(/\/*$/, options.prefix ? '/' : '');
  try {
    const server = await findBucket(client, prefix, options.createBucket);
    const key = `${prefix}tandem-probe/${randomUUID()}`;
    const tryAll = async () => {
      const conditionalWrites = await writesConditionally(client, key);
      await readsRanges(client, key);
      const checksums = await checksSha256(client, key);
      await takesMultipart(client, key);
      return { server, conditionalWrites, checksums };
    };
    return await cleaningUp(tryAll, () => client.send({ method: 'DELETE', key }));
  } catch (error) {
    throw client.explain(error);
  }
}

/** A GET, since an answer to HEAD has no room for the code that tells wrong keys from a wrong clock. */
async function findBucket(client: S3Client, prefix: string, createBucket: boolean): Promise<string | null> {
  const list = () => client.send({ method: 'GET', query: { 'list-type': '2', 'max-keys': '1', prefix } });
  const { headers } = await list().catch(async (error: unknown) => {
    if (!createBucket || !hasCode(error, 'NoSuchBucket')) throw error;
    await client.makeBucket().catch((failure: unknown) => {
      // Somebody else was faster, or a first try was carried out though its answer was lost.
      if (!hasCode(failure, 'BucketAlreadyOwnedByYou')) throw failure;
    });
    return list();
  });
  return typeof headers.server === 'string' ? headers.server : null;
}

const CONTENT = Buffer.from('0123456789');

async function writesConditionally(client: S3Client, key: string): Promise<boolean> {
  const write = () => client.send({ method: 'PUT', key, body: CONTENT, headers: { 'if-none-match': '*' } });
  try {
    await write();
  } catch (error) {
    // The key is random, so what is there was written by a first try whose answer was lost.
    if (hasCode(error, 'PreconditionFailed')) return true;
    // Some stores know the header and say that they cannot.
    if (!hasCode(error, 'NotImplemented', 'InvalidArgument')) throw error;
    await client.send({ method: 'PUT', key, body: CONTENT });
    return false;
  }
  try {
    await write();
    return false;
  } catch (error) {
    if (hasCode(error, 'PreconditionFailed')) return true;
    throw error;
  }
}

async function readsRanges(client: S3Client, key: string): Promise<void> {
  const { body } = await client.send({ method: 'GET', key, headers: { range: 'bytes=2-4' } });
  if (body.equals(CONTENT.subarray(2, 5))) return;
  const got = `${body.length} bytes where bytes 2 to 4 of an object were asked for`;
  throw unusable(client, `answers ${got}; use a store, or a proxy before it, that heeds Range`);
}

async function checksSha256(client: S3Client, key: string): Promise<boolean> {
  const wrong = createHash('sha256').update('something else').digest('base64');
  try {
    await client.send({ method: 'PUT', key, body: CONTENT, headers: { 'x-amz-checksum-sha256': wrong } });
    return false;
  } catch (error) {
    if (
      isTransient(error) ||
      !hasCode(error, 'BadDigest', 'XAmzContentChecksumMismatch', 'InvalidRequest', 'InvalidDigest')
    ) {
      throw error;
    }
    return true;
  }
}

async function takesMultipart(client: S3Client, key: string): Promise<void> {
  const multipart = multipartOf(client);
  const name = `${key}-parts`;
  const uploadId = await multipart.begin(name);
  const tryParts = async () => {
    await multipart.send(name, uploadId, 1, CONTENT);
    const stored = await multipart.parts(name, uploadId);
    if (stored?.length !== 1 || stored[0]?.size !== CONTENT.length) {
      throw unusable(client, 'does not list the parts of a multipart upload; use a store that does');
    }
    // Deleting a checkpoint asks for it, and policies can forbid it while they allow the rest.
    for await (const _ of multipart.uploads(name));
  };
  await cleaningUp(tryParts, () => multipart.abort(name, uploadId));
}

/** Cleans up after work; what is wrong with the work is told rather than what is wrong with the cleaning. */
async function cleaningUp<T>(work: () => Promise<T>, cleanUp: () => Promise<unknown>): Promise<T> {
  const result = await work().catch(async (error: unknown) => {
    await cleanUp().catch(() => undefined);
    throw error;
  });
  await cleanUp();
  return result;
}

function unusable(client: S3Client, what: string): StorageFaultError {
  return new StorageFaultError(
    { kind: 'refused', message: `the object store at ${client.place.endpoint} ${what}` },
    {},
  );
}
