import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { CheckpointCommit, Manifest } from '../../contracts/checkpoint.ts';
import type { AgentClient } from '../agent/agent-client.ts';
import { storeCheckpoint } from '../agent/store-checkpoint.ts';
import type { CheckpointSnapshot } from '../checkpoint/snapshot.ts';
import { writeCheckpoint } from '../checkpoint/write-checkpoint.ts';
import { nameFullDisk, requireSpace } from './checkpoint-space.ts';

/** Writes a snapshot below `directory`, brings it to the store, commits it, and leaves nothing behind in `directory`. */
export async function saveCheckpoint(params: {
  readonly client: AgentClient;
  readonly snapshot: CheckpointSnapshot;
  readonly directory: string;
  readonly commit: Omit<CheckpointCommit, 'files'>;
  readonly signal: AbortSignal;
}): Promise<Manifest> {
  const { client, snapshot, commit, signal } = params;
  await requireSpace(params.directory, snapshot);
  const directory = path.join(params.directory, `checkpoint-${commit.step}`);
  try {
    const files = await writeCheckpoint(directory, snapshot).catch((error: unknown) => {
      throw nameFullDisk(params.directory, error);
    });
    return await storeCheckpoint({ client, directory, commit: { ...commit, files }, signal });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
