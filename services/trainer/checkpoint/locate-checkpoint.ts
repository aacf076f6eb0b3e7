import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { type CheckpointLayout, detectLayout, newestCheckpoint } from '../../contracts/checkpoint-layout.ts';
import { CheckpointError } from './checkpoint-error.ts';

/** Where a checkpoint lies, and what of it is there. */
export interface Located {
  /** The checkpoint itself, which is below the directory that was asked for when that holds several. */
  readonly directory: string;
  /** Its files, relative to it. */
  readonly paths: readonly string[];
  readonly layout: CheckpointLayout;
}

/**
 * Finds the checkpoint in a directory: itself, or the newest of those that it holds.
 *
 * @param listed the files that count; all that are there when they are not given
 * @throws CheckpointError `no_weights` when there is none, `missing_file` when the directory cannot be read.
 */
export async function locateCheckpoint(directory: string, listed?: readonly string[]): Promise<Located> {
  const paths = listed ?? (await listFiles(directory));
  const layout = detectLayout(paths);
  if (layout !== undefined) return { directory, paths, layout };
  const newest = newestCheckpoint(paths);
  if (newest === undefined) {
    throw new CheckpointError(
      'no_weights',
      directory,
      'holds no checkpoint: neither it nor its model/ has adapter_model.safetensors, model.safetensors or model.pt. Name a checkpoint folder',
    );
  }
  return locateCheckpoint(path.join(directory, newest));
}

async function listFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    (cause: NodeJS.ErrnoException) => {
      throw new CheckpointError('missing_file', directory, `cannot be read (${cause.code}). Name a checkpoint folder`, {
        cause,
      });
    },
  );
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
}
