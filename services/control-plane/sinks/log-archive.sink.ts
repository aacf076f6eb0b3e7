import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { ObjectStore } from '../../platform/object-store.ts';
import { rotatedFiles, statOrNull } from './rotated-files.ts';
import type { Sink, SinkTarget } from './sink.ts';

/** How often it is looked for rotated files. */
const EVERY_MS = 10_000;

/** Where the log files of a run lie in the object store. */
export function logPrefix(run: string): string {
  return `runs/${run}/logs/`;
}

/**
 * Brings rotated log files into the object store, and at the end of the run the current ones too, so that they outlive containers and the run's tree. What
 * is there already is asked of the store.
 */
export function createLogArchiveSink({
  target,
  store,
  logs,
}: {
  target: SinkTarget;
  store: Pick<ObjectStore, 'put' | 'list'>;
  logs: readonly string[];
}): Sink {
  let stored: Map<string, number> | null = null;

  const listStored = async () => {
    const sizes = new Map<string, number>();
    for await (const { key, size } of store.list(logPrefix(target.run))) sizes.set(key, size);
    return sizes;
  };

  const keep = async (path: string, size: number, known: Map<string, number>) => {
    const key = logPrefix(target.run) + basename(path).replace(/[^A-Za-z0-9._-]/g, '_');
    if (size === 0 || known.get(key) === size) return;
    await store.put(key, { stream: createReadStream(path, { end: size - 1 }), size });
    known.set(key, size);
  };

  return {
    name: `logs of ${target.run} in the object store`,
    wakesOn: [],
    everyMs: EVERY_MS,
    last: true,
    async catchUp(final) {
      const rotated = (await Promise.all(logs.map(rotatedFiles))).flat().filter(({ compressed }) => compressed);
      if (rotated.length === 0 && !final) return;
      stored ??= await listStored();
      for (const { path, bytes } of rotated) await keep(path, bytes, stored);
      if (!final) return;
      for (const path of logs) await keep(path, (await statOrNull(path))?.size ?? 0, stored);
    },
  };
}
