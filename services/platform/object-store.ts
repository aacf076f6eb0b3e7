import type { Readable } from 'node:stream';
import type { UploadFile as AnnouncedFile, UploadPart } from '../contracts/agent-operations.ts';

/** Byte positions of a part of an object, both inclusive, as in an HTTP Range. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Where checkpoints lie: keys to bytes. Keys are relative paths of `A-Z a-z 0-9 . _ -` segments (`checkObjectKey`).
 * Every implementation passes `describeObjectStore` in `object-store.contract.ts`.
 */
export interface ObjectStore {
  /**
   * Stores an object, replacing what was there; readers see the old bytes or the new ones. `size` in bytes is needed for a stream. Of a long stream that
   * the end of the process cuts off, a store with transfers may keep an unfinished upload of the key.
   */
  put(key: string, body: Uint8Array | { stream: Readable; size: number }): Promise<void>;
  /** Stores an object only where there is none; of several at once exactly one is told `created`. */
  putIfAbsent(key: string, body: Uint8Array): Promise<'created' | 'exists'>;
  /** The whole object. Throws ObjectNotFoundError. */
  get(key: string): Promise<Buffer>;
  /** The object or a part of it; an absent object is an ObjectNotFoundError on the stream. */
  read(key: string, range?: ByteRange): Readable;
  /** Size in bytes, or null where there is no such object. */
  head(key: string): Promise<{ size: number } | null>;
  /** Every object whose key starts with `prefix`, in order of the keys' bytes. */
  list(prefix: string): AsyncIterable<{ key: string; size: number }>;
  /** Removes an object; one that is not there is not an error. */
  delete(key: string): Promise<void>;
  /** The directory that holds the objects below `prefix`, where the store is a file system; else null. */
  localDirectory(prefix: string): string | null;
  /** Transfers that go past the control plane, where the store is reached over HTTP; else null. */
  readonly transfers: ObjectTransfers | null;
}

/** A file as it is to be stored. `sha256` (hexadecimal) lets the store check what it receives; `parts` cuts it for a multipart upload. */
export type UploadFile = Omit<AnnouncedFile, 'path'>;
export type { UploadPart };

/** Uploads and downloads by presigned URLs. None of them is an object before it is complete. */
export interface ObjectTransfers {
  /**
   * What is still to be sent of a file. With parts it goes on with `uploadId` where that upload still exists, else begins a new one; `uploadId` of the
   * answer is null for a file that is sent whole. A stored object of that size and without parts is sent again: its content is not known.
   */
  plan(
    key: string,
    file: UploadFile,
    uploadId: string | null,
  ): Promise<{ uploadId: string | null; parts: UploadPart[] }>;
  /** Joins the parts of an upload into the object; repeating it after it went well does nothing. Throws UploadIncompleteError. */
  complete(key: string, file: UploadFile, uploadId: string): Promise<void>;
  /**
   * Unfinished multipart uploads below `prefix`, with the time they were begun (milliseconds since the epoch). Some stores find an upload only by its
   * whole key: keep the keys of what is begun.
   */
  unfinished(prefix: string): AsyncIterable<{ key: string; uploadId: string; since: number }>;
  /** Removes an unfinished upload and its parts; one that is not there is not an error. */
  abort(key: string, uploadId: string): Promise<void>;
  /** A URL that answers GET, ranges too, for so many seconds. `audience` `public` gives null where people cannot reach the store. */
  link(key: string, options: { seconds: number; audience: 'trainer' }): Promise<string>;
  link(key: string, options: { seconds: number; audience: 'public'; filename: string }): Promise<string | null>;
}

/** Parts of an upload are missing, or have another size than was announced. */
export class UploadIncompleteError extends Error {
  constructor(key: string, why: string) {
    super(`${key} is not uploaded as a whole: ${why}. Ask for the upload again and send what is missing.`);
    this.name = 'UploadIncompleteError';
  }
}

export class ObjectNotFoundError extends Error {
  readonly key: string;
  constructor(key: string) {
    super(`There is no object ${key} in the store; it was never written, or it was deleted.`);
    this.name = 'ObjectNotFoundError';
    this.key = key;
  }
}

export class InvalidObjectKeyError extends Error {
  constructor(key: string, why: string) {
    super(`Object key ${JSON.stringify(key.slice(0, 200))}: ${why}.`);
    this.name = 'InvalidObjectKeyError';
  }
}

const SEGMENT = /^[A-Za-z0-9._-]+$/;
const MAX_KEY_LENGTH = 1024;

/** Throws InvalidObjectKeyError unless the key is a relative path without `.`, `..` and temporary names. */
export function checkObjectKey(key: string): void {
  if (key.length > MAX_KEY_LENGTH) throw new InvalidObjectKeyError(key, `is longer than ${MAX_KEY_LENGTH} characters`);
  for (const segment of key.split('/')) {
    if (segment === '' || segment === '.' || segment === '..') {
      throw new InvalidObjectKeyError(key, 'must be a relative path without empty, . or .. segments');
    }
    if (!SEGMENT.test(segment)) {
      throw new InvalidObjectKeyError(key, 'may only hold letters, digits, dot, underscore, hyphen and slash');
    }
    if (segment.startsWith('.tmp-'))
      throw new InvalidObjectKeyError(key, 'starts with .tmp-, kept for unfinished writes');
  }
}

/** As `checkObjectKey`, for a prefix: may be empty, may end with a slash or in the middle of a segment. */
export function checkObjectPrefix(prefix: string): void {
  if (prefix !== '') checkObjectKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}
