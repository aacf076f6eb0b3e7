import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract, pack } from 'tar-stream';

interface Owner {
  uid: number;
  gid: number;
}

/** A small tar archive of directories and secret files, all owned by the role's user. Paths are relative to where it is unpacked. */
export function packPlace(
  { directories, files }: { directories: readonly string[]; files: Readonly<Record<string, string>> },
  owner: Owner,
  /** Of the directories. */
  mode = 0o700,
): Readable {
  const tar = pack();
  for (const name of directories) tar.entry({ name, type: 'directory', mode, ...owner });
  for (const [name, content] of Object.entries(files)) tar.entry({ name, mode: 0o600, ...owner }, content);
  tar.finalize();
  return Readable.from(tar, { objectMode: false });
}

/** The content of the only file of a tar stream; null when it holds none. */
export async function readArchivedText(tar: Readable): Promise<string | null> {
  let text: string | null = null;
  await unpackFirst(tar, async (file) => {
    text = (await buffer(file)).toString('utf8');
  });
  return text;
}

/** Writes the only file of a tar stream to a path of this machine, whole or not at all. Says whether there was one. */
export async function saveArchivedFile(tar: Readable, path: string): Promise<boolean> {
  let found = false;
  await mkdir(dirname(path), { recursive: true });
  await unpackFirst(tar, async (file) => {
    await pipeline(file, createWriteStream(`${path}.tmp`, { mode: 0o600 }));
    found = true;
  });
  if (found) await rename(`${path}.tmp`, path);
  else await rm(`${path}.tmp`, { force: true });
  return found;
}

async function unpackFirst(tar: Readable, take: (file: Readable) => Promise<void>): Promise<void> {
  const archive = extract();
  let taken = false;
  const unpacked = pipeline(tar, archive);
  unpacked.catch(() => {});
  for await (const entry of archive) {
    if (!taken && entry.header.type === 'file') {
      taken = true;
      await take(entry as unknown as Readable);
    } else {
      await pipeline(entry, new Writable({ write: (_chunk, _encoding, done) => done() }));
    }
  }
  await unpacked;
}
