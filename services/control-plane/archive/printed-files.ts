import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ObjectStore } from '../../platform/object-store.ts';
import { logPrefix } from '../sinks/log-archive.sink.ts';
import { outputFiles, roleOutputPaths } from '../sinks/role-output.sink.ts';
import { rotatedFiles } from '../sinks/rotated-files.ts';
import type { ArchiveEntry } from './write-tar.ts';

/**
 * The files of what a run's programs printed: as they are in its tree, and besides them what only the object store has any more, as it was kept at the
 * last rotation or when the run ended. One that is rotated away meanwhile is taken from the store.
 */
export async function* printedFiles(
  { id, tree }: { id: string; tree: string },
  store: Pick<ObjectStore, 'list' | 'read'>,
): AsyncGenerator<ArchiveEntry> {
  const paths = roleOutputPaths({ tree }).map(({ path }) => path);
  const rotated = (await Promise.all(paths.map(rotatedFiles))).flat().map(({ path }) => path);
  const given = new Set<string>();
  for (const path of [...paths, ...rotated]) {
    const content = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return null;
    });
    if (content === null) continue;
    given.add(basename(path));
    yield { name: `logs/${basename(path)}`, content };
  }
  const stems = Object.values(outputFiles).map((name) => name.slice(0, -'.log'.length));
  for await (const { key, size } of store.list(logPrefix(id))) {
    const name = basename(key);
    const isOutput = stems.some((stem) => name === `${stem}.log` || name.startsWith(`${stem}-`));
    if (isOutput && !given.has(name)) yield { name: `logs/${name}`, content: { size, read: () => store.read(key) } };
  }
}
