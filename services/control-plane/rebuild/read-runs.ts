import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../contracts/checkpoint.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import {
  type CheckpointId,
  checkpointLabel,
  checkpointOfKey,
  checkpointPrefix,
  manifestKey,
  pinKey,
} from '../checkpoints/checkpoint-keys.ts';
import { readManifest } from '../checkpoints/read-manifest.ts';
import { type RunFile, runFileKey, runFileSchema } from '../runs/run-file.ts';

/** What the object store holds of runs. */
export interface StoredRuns {
  /** Oldest first. */
  runs: RunFile[];
  manifests: Map<string, Manifest[]>;
  /** Files without a manifest: of uploads and deletions that were cut short. */
  loose: CheckpointId[];
  /** Checkpoints that users have pinned. */
  pinned: CheckpointId[];
  /** What could not be used, each with where it is and what to do. */
  problems: string[];
}

/**
 * Reads every `run.json` and every manifest of the store, one after another: the cost grows with the objects of all runs (1,000 keys a request) and with
 * the number of runs and checkpoints. What cannot be read is a problem, not an end.
 */
export async function readStoredRuns(store: ObjectStore): Promise<StoredRuns> {
  const ids = new Set<string>();
  const described = new Set<string>();
  const committed = new Map<string, CheckpointId>();
  const seen = new Map<string, CheckpointId>();
  const pinned: CheckpointId[] = [];
  for await (const { key } of store.list('runs/')) {
    const id = /^runs\/(run-[a-z0-9]{8})\//.exec(key)?.[1];
    if (id === undefined) continue;
    ids.add(id);
    if (key === runFileKey(id)) described.add(id);
    const checkpoint = checkpointOfKey(key);
    if (checkpoint === null) continue;
    seen.set(checkpointPrefix(checkpoint), checkpoint);
    if (key === manifestKey(checkpoint)) committed.set(checkpointPrefix(checkpoint), checkpoint);
    if (key === pinKey(checkpoint)) pinned.push(checkpoint);
  }

  const problems: string[] = [];
  const runs: RunFile[] = [];
  for (const id of ids) {
    if (!described.has(id)) {
      problems.push(`${id} has objects but no run.json: it stays unknown; restore ${runFileKey(id)} from a copy.`);
      continue;
    }
    const parsed = runFileSchema.safeParse(parseJson(await store.get(runFileKey(id))));
    if (parsed.success) runs.push(parsed.data);
    else problems.push(`${runFileKey(id)} cannot be understood: ${parsed.error.issues[0]?.message}; restore a copy.`);
  }

  const manifests = new Map<string, Manifest[]>();
  for (const id of committed.values()) {
    try {
      const manifest = await readManifest(store, id);
      if (manifest !== null) manifests.set(id.run, [...(manifests.get(id.run) ?? []), manifest]);
    } catch (error) {
      problems.push(`${checkpointLabel(id)}: ${(error as Error).message}`);
    }
  }
  const known = new Set(runs.map(({ id }) => id));
  const loose = [...seen].filter(([prefix, { run }]) => !committed.has(prefix) && known.has(run)).map(([, id]) => id);
  return { runs: runs.sort((a, b) => a.created_at - b.created_at), manifests, loose, pinned, problems };
}

/** Numbers of the attempts that have left files: records, or workspaces. */
export async function attemptNumbers(home: string, run: string): Promise<number[]> {
  const names = [...(await namesIn(join(home, 'records', run))), ...(await namesIn(join(home, 'work', run)))];
  const numbers = names.map((name) => /^a(\d+)(\.jsonl)?$/.exec(name)?.[1]).filter((number) => number !== undefined);
  return [...new Set(numbers.map(Number))].sort((a, b) => a - b);
}

export async function namesIn(directory: string): Promise<string[]> {
  return readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return null;
  }
}
