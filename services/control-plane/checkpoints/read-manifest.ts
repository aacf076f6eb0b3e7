import { type Manifest, manifestSchema } from '../../contracts/checkpoint.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { ProblemError } from '../api/problem-error.ts';
import { type CheckpointId, manifestKey } from './checkpoint-keys.ts';

/** The manifest in the store, or null. Throws checkpoint-unusable when it is there and cannot be read as one. */
export async function readManifest(
  store: Pick<ObjectStore, 'head' | 'get'>,
  id: CheckpointId,
): Promise<Manifest | null> {
  const key = manifestKey(id);
  if ((await store.head(key)) === null) return null;
  const manifest = parseManifest(await store.get(key));
  if (manifest !== null) return manifest;
  throw new ProblemError(
    'checkpoint-unusable',
    `${key} is not a manifest that this version reads; delete it or restore a copy of it.`,
  );
}

/** Null for what is no manifest that this version reads. */
export function parseManifest(bytes: Buffer): Manifest | null {
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch {
    return null;
  }
}
