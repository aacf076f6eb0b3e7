import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { CheckpointExport } from '../quickstart/client.ts';

type ExportedFile = CheckpointExport['files'][number];

const TRIES = 3;

/**
 * Fetches a file into a directory, where it has its name only once its size and sha256 are right. One that is there already is kept.
 * @throws Error when it cannot be had three times, or is another file than was promised
 */
export async function fetchVerified(
  file: ExportedFile,
  directory: string,
  bytes: (path: string) => Promise<Response>,
): Promise<'verified' | 'is there already'> {
  const target = join(directory, file.path);
  if ((await stat(target).catch(() => null))?.size === file.size && (await hashOf(target)) === file.sha256)
    return 'is there already';
  const unfinished = `${target}.part`;
  for (let tried = 1; ; tried += 1) {
    try {
      await fetchOnce(file, unfinished, bytes);
      await rename(unfinished, target);
      return 'verified';
    } catch (error) {
      await rm(unfinished, { force: true });
      if (tried === TRIES) throw error;
    }
  }
}

async function fetchOnce(file: ExportedFile, to: string, bytes: (path: string) => Promise<Response>): Promise<void> {
  const answer = await bytes(file.url);
  if (!answer.ok || answer.body === null) throw new Error(`${file.path}: the control plane answers ${answer.status}`);
  await pipeline(Readable.fromWeb(answer.body as ReadableStream), createWriteStream(to));
  const found = await hashOf(to);
  if (found !== file.sha256) throw new Error(`${file.path} has sha256 ${found}, and should have ${file.sha256}`);
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
