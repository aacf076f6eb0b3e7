import { Readable, type Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';

/** A file of an archive: bytes that are there, or a stream that will hold exactly `size` of them. */
export interface ArchiveEntry {
  name: string;
  content: Buffer | { size: number; read: () => AsyncIterable<Uint8Array> };
}

/**
 * Writes entries as one tar, each taken only when the one before has gone out, so memory does not grow with the archive. When `to` ends
 * early, the entries are closed. Rejects with what went wrong; `to` is destroyed then, so nobody takes half an archive for a whole one. A reader who
 * leaves, which `signal` tells, is no error.
 */
export async function writeTar(
  entries: AsyncIterable<ArchiveEntry>,
  to: Writable,
  { mtime, signal, gzip }: { mtime: Date; signal: AbortSignal; gzip: boolean },
): Promise<void> {
  const tar = pack();
  const source = tar as unknown as Readable;
  const sent = gzip ? pipeline(source, createGzip(), to, { signal }) : pipeline(source, to, { signal });
  // What has gone wrong here destroys `to`, which looks like a reader who has left: which came first has to be noted.
  const faults: unknown[] = [];
  const note = (error: unknown) => {
    if (!signal.aborted) faults.push(error);
    tar.destroy(error as Error);
  };
  await Promise.all([fill(tar, entries, mtime).catch(note), sent.catch(note)]);
  if (faults.length > 0) throw faults[0];
}

async function fill(tar: Pack, entries: AsyncIterable<ArchiveEntry>, mtime: Date): Promise<void> {
  for await (const { name, content } of entries) {
    if (Buffer.isBuffer(content)) await addBytes(tar, { name, mtime }, content);
    else await pipeline(Readable.from(content.read()), tar.entry({ name, mtime, size: content.size }));
  }
  tar.finalize();
}

function addBytes(tar: Pack, header: { name: string; mtime: Date }, content: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    tar.entry(header, content, (error) => (error ? reject(error) : resolve()));
  });
}
