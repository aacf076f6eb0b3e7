import type { Readable } from 'node:stream';

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
  /** Stores an object, replacing what was there; readers see the old bytes or the new ones. `size` in bytes is needed for a stream. */
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
