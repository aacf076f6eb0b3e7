import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { programFile } from '../program-file.ts';
import { hashInto } from './hash-file.ts';

/** How a content is hashed. */
export interface HashRecipe {
  algorithm: 'sha256' | 'sha1';
  /** Hashed in front of it. */
  prefix: string;
}

/** What the thread is given, and what it answers. */
export interface HashOrder extends HashRecipe {
  path: string;
}

const PROGRAM = 'hash-in-thread.main.js';
/** A thread takes 40 ms to start: less than that is hashed here, in pieces. Bytes. */
const LEAST_BYTES = 8 * 2 ** 20;

/**
 * Hashes a file, hexadecimal, without a share of the event loop: a large one in a thread that is there for nothing else.
 * @throws what reading it throws, or the signal's reason
 */
export async function hashInThread(
  path: string,
  size: number,
  recipe: HashRecipe,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  return size < LEAST_BYTES ? await hashOrder({ path, ...recipe }) : await askThread({ path, ...recipe }, signal);
}

/** The work itself, wherever it is done. */
export async function hashOrder({ path, algorithm, prefix }: HashOrder): Promise<string> {
  const file = await open(path, 'r');
  try {
    return await hashInto(createHash(algorithm).update(prefix), file);
  } finally {
    await file.close();
  }
}

async function askThread(order: HashOrder, signal: AbortSignal): Promise<string> {
  const thread = new Worker(programFile(import.meta.url, PROGRAM), { workerData: order });
  let stop = () => {};
  try {
    return await new Promise<string>((resolve, reject) => {
      stop = () => reject(signal.reason);
      signal.addEventListener('abort', stop, { once: true });
      thread.once('message', resolve);
      thread.once('error', reject);
      thread.once('exit', (code) => reject(new Error(`the thread that hashes ${order.path} ended with ${code}`)));
    });
  } finally {
    signal.removeEventListener('abort', stop);
    await thread.terminate();
  }
}
