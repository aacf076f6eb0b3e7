import { createHash } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { isDeepStrictEqual } from 'node:util';
import { type CheckpointFile, MANIFEST_FILE, type Manifest, manifestSchema } from '../../contracts/checkpoint.ts';
import { ObjectNotFoundError, type ObjectStore } from '../../platform/object-store.ts';
import { ProblemError } from '../api/problem-error.ts';
import { checkpointPrefix, manifestKey } from '../checkpoints/checkpoint-keys.ts';
import { parseManifest } from '../checkpoints/read-manifest.ts';
import { tarLength } from './tar-length.ts';
import type { ArchiveEntry } from './write-tar.ts';

export interface CheckpointArchive {
  /** `<run>-<checkpoint>`: the one folder that everything lies in. */
  folder: string;
  /** Bytes of the tar. */
  length: number;
  entries: AsyncIterable<ArchiveEntry>;
}

type Store = Pick<ObjectStore, 'get' | 'read' | 'list'>;

/**
 * The tar of a checkpoint: `manifest.json`, then its files as the manifest lists them. Before this returns, the manifest has been read, every file is
 * there with its size, and the store has given a first byte. Each file's sha256 is checked while it is read, and its last piece is held back until it
 * is known to be right, so what is damaged never comes whole.
 * @throws ProblemError checkpoint-unusable for what is missing or has another size
 */
export async function archiveCheckpoint(store: Store, manifest: Manifest): Promise<CheckpointArchive> {
  const { run, name, files } = manifest;
  const prefix = checkpointPrefix(manifest);
  const folder = `${run}-${name}`;
  const manifestBytes = await readSameManifest(store, manifest);
  await checkSizes(store, manifest);
  const first = files.find(({ size }) => size > 0);
  if (first !== undefined) await buffer(store.read(prefix + first.path, { start: 0, end: 0 }));
  const sizes = [
    { name: `${folder}/${MANIFEST_FILE}`, size: manifestBytes.length },
    ...files.map(({ path, size }) => ({ name: `${folder}/${path}`, size })),
  ];
  return {
    folder,
    length: tarLength(sizes),
    entries: (async function* () {
      yield { name: `${folder}/${MANIFEST_FILE}`, content: manifestBytes };
      for (const file of files) {
        const read = () => readVerified(store, prefix + file.path, file);
        yield { name: `${folder}/${file.path}`, content: { size: file.size, read } };
      }
    })(),
  };
}

async function readSameManifest(store: Store, manifest: Manifest): Promise<Buffer> {
  const key = manifestKey(manifest);
  const bytes = await store.get(key).catch((error: unknown) => {
    if (!(error instanceof ObjectNotFoundError)) throw error;
    throw new ProblemError('checkpoint-unusable', `${key} is not in the object store; use another checkpoint.`);
  });
  if (isDeepStrictEqual(parseManifest(bytes), manifestSchema.parse(manifest))) return bytes;
  throw new ProblemError(
    'checkpoint-unusable',
    `${key} is not the manifest that was committed; restore a copy of it, or use another checkpoint.`,
  );
}

/** One listing, however many files there are. */
async function checkSizes(store: Store, manifest: Manifest): Promise<void> {
  const prefix = checkpointPrefix(manifest);
  const found = new Map<string, number>();
  for await (const { key, size } of store.list(prefix)) found.set(key.slice(prefix.length), size);
  for (const { path, size } of manifest.files) {
    const stored = found.get(path);
    if (stored === size) continue;
    const what = stored === undefined ? 'is missing from' : `has ${stored} bytes where ${size} were committed in`;
    throw new ProblemError('checkpoint-unusable', `${path} ${what} the object store; use an older checkpoint.`);
  }
}

/** What is stored is not what was committed. */
export class DamagedFileError extends Error {
  override readonly name = 'DamagedFileError';
}

async function* readVerified(store: Store, key: string, { size, sha256 }: CheckpointFile): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let length = 0;
  let held: Buffer | null = null;
  for await (const chunk of store.read(key) as AsyncIterable<Buffer>) {
    if (held !== null) yield held;
    length += chunk.length;
    if (length > size) break;
    hash.update(chunk);
    held = chunk;
  }
  if (length !== size || hash.digest('hex') !== sha256) {
    const what =
      length === size ? 'has another sha256 than was committed' : `has not the ${size} bytes that were committed`;
    throw new DamagedFileError(`${key} ${what}: use another checkpoint, or restore a copy of the file.`);
  }
  if (held !== null) yield held;
}
