import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { ObjectStore } from '../../platform/object-store.ts';
import { type RotatedFile, rotatedFiles, statOrNull } from './rotated-files.ts';
import type { Sink, SinkTarget } from './sink.ts';

/** How often it is looked for rotated files. */
const EVERY_MS = 10_000;

/** Where the log files of a run lie in the object store. */
export function logPrefix(run: string): string {
  return `runs/${run}/logs/`;
}

/**
 * Brings rotated log files into the object store, and at the end of the run the current ones too, so that they outlive containers and the run's tree. What
 * is there already is asked of the store. A file that a full disk has left uncompressed is brought as it is at the end, and gives way to the compressed one.
 */
export function createLogArchiveSink({
  target,
  store,
  logs,
}: {
  target: SinkTarget;
  store: Pick<ObjectStore, 'put' | 'list' | 'delete'>;
  logs: readonly string[];
}): Sink {
  let stored: Map<string, number> | null = null;

  const listStored = async () => {
    const sizes = new Map<string, number>();
    for await (const { key, size } of store.list(logPrefix(target.run))) sizes.set(key, size);
    return sizes;
  };

  const keyOf = (path: string) => logPrefix(target.run) + basename(path).replace(/[^A-Za-z0-9._-]/g, '_');

  const keep = async (path: string, size: number, known: Map<string, number>) => {
    const key = keyOf(path);
    if (size === 0 || known.get(key) === size) return;
    await store.put(key, { stream: createReadStream(path, { end: size - 1 }), size });
    known.set(key, size);
  };

  const keepCompressed = async ({ path, bytes }: RotatedFile, known: Map<string, number>) => {
    await keep(path, bytes, known);
    const plain = keyOf(path.slice(0, -'.gz'.length));
    if (!known.has(plain)) return;
    await store.delete(plain);
    known.delete(plain);
  };

  return {
    name: `logs of ${target.run} in the object store`,
    wakesOn: [],
    everyMs: EVERY_MS,
    last: true,
    async catchUp(final) {
      const rotated = (await Promise.all(logs.map(rotatedFiles))).flat();
      const compressed = rotated.filter((file) => file.compressed);
      if (compressed.length === 0 && !final) return;
      stored ??= await listStored();
      for (const file of compressed) await keepCompressed(file, stored);
      if (!final) return;
      const names = new Set(compressed.map(({ path }) => path));
      for (const { path, bytes } of rotated)
        if (!names.has(path) && !names.has(`${path}.gz`)) await keep(path, bytes, stored);
      for (const path of logs) await keep(path, (await statOrNull(path))?.size ?? 0, stored);
    },
  };
}
