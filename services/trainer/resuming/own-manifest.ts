import type { ResumeCandidate } from '../../contracts/agent-operations.ts';
import { openCheckpointFolder } from '../checkpoint/folder-manifest.ts';

/** A checkpoint to start from, with whatever was recorded of it. */
export interface Candidate extends ResumeCandidate {
  /** Whether it was named as a folder: it may be of any run, so going on with it is a fork. */
  readonly folder: boolean;
}

/**
 * A folder that was named comes without a manifest. When a manifest lies in it, it counts as if it had come with it.
 * @throws CheckpointError when the folder holds no checkpoint, or its manifest is damaged.
 */
export async function withOwnManifest(given: ResumeCandidate): Promise<Candidate> {
  if (given.manifest !== null || given.directory === null) return { ...given, folder: false };
  return { ...given, ...(await openCheckpointFolder(given.directory)), folder: true };
}
