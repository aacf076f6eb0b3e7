import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { type CheckpointFile, MANIFEST_SCHEMA, type Manifest } from '../../contracts/checkpoint.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { createFileHash, partSizeFor } from '../../platform/transfer/hash-file.ts';
import { checkpointPrefix, manifestKey } from '../checkpoints/checkpoint-keys.ts';
import { type ImportFolder, LeftOutError } from './import-folder.ts';
import type { PlannedCheckpoint } from './plan-checkpoints.ts';

/** A read of the source at a time; one is in memory. */
const CHUNK_BYTES = 2 ** 20;

/**
 * Copies the files of a checkpoint into the store, hashed on the way as a whole and in parts, and writes its manifest last.
 * @throws LeftOutError when a file differs from Tandem's manifest beside it, or changes while it is copied; then there is no manifest
 */
export async function copyCheckpoint({
  folder,
  checkpoint,
  store,
  run,
  record,
  createdAt,
}: {
  folder: ImportFolder;
  checkpoint: PlannedCheckpoint;
  store: ObjectStore;
  run: string;
  /** The last record that its state covers. */
  record: number;
  createdAt: string;
}): Promise<Manifest> {
  const { found, state, step, purposes } = checkpoint;
  const id = { run, attempt: 1, step };
  const listed = new Map(state.manifest?.files.map((file) => [file.path, file]));
  const files: CheckpointFile[] = [];
  for (const { from, to } of found.files) {
    const copied = await copyFile({ folder, from, to, store, key: checkpointPrefix(id) + to });
    const expected = listed.get(to);
    if (expected !== undefined && (expected.sha256 !== copied.sha256 || expected.size !== copied.size)) {
      throw new LeftOutError(`${from} is damaged: its sha256 is not the one in manifest.json`);
    }
    // Hashes of parts in a manifest of someone else's are not believed either.
    files.push(copied);
  }
  const manifest: Manifest = {
    schema: MANIFEST_SCHEMA,
    ...id,
    name: `checkpoint-${step}`,
    created_at: createdAt,
    purposes: [...purposes],
    policy_version: state.policyVersion ?? state.manifest?.policy_version ?? (state.hasState ? step : 0),
    record,
    epoch: state.epoch,
    best_metric: state.bestMetric ?? state.manifest?.best_metric ?? null,
    metrics: state.manifest?.metrics ?? state.metrics,
    inputs: state.manifest?.inputs ?? {},
    files,
  };
  await store.putIfAbsent(manifestKey(id), Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
  return manifest;
}

async function copyFile({
  folder,
  from,
  to,
  store,
  key,
}: {
  folder: ImportFolder;
  from: string;
  to: string;
  store: Pick<ObjectStore, 'put'>;
  key: string;
}): Promise<CheckpointFile> {
  const size = folder.files.get(from)?.size ?? 0;
  const hash = createFileHash(partSizeFor(size));
  const handle = await folder.open(from);
  try {
    const stream = Readable.from(chunks(handle, { from, size, hash }), {
      objectMode: false,
      highWaterMark: CHUNK_BYTES,
    });
    await store.put(key, { stream, size });
  } finally {
    await handle.close();
  }
  return { path: to, ...hash.digest() };
}

async function* chunks(
  handle: FileHandle,
  { from, size, hash }: { from: string; size: number; hash: ReturnType<typeof createFileHash> },
): AsyncGenerator<Buffer> {
  for (let at = 0; at < size; ) {
    const { bytesRead, buffer } = await handle.read(
      Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size - at)),
      0,
      undefined,
      at,
    );
    if (bytesRead === 0) throw new LeftOutError(`${from} became shorter while it was imported`);
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    at += bytesRead;
    yield chunk;
  }
}
