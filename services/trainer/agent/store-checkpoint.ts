import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { CheckpointCommit, Manifest } from '../../contracts/checkpoint.ts';
import type { AgentClient } from './agent-client.ts';
import { untilAnswered } from './backoff.ts';
import { putFile } from './transfer-file.ts';

/**
 * Brings the files of a written checkpoint to where the control plane keeps them and commits it. Waits for a control plane that is away.
 *
 * @param directory holds the files under the paths of `commit.files`; they may be moved away
 * @throws AgentError when it is refused, the signal's reason, or an error of the disk.
 */
export async function storeCheckpoint(params: {
  readonly client: AgentClient;
  readonly directory: string;
  readonly commit: CheckpointCommit;
  readonly signal: AbortSignal;
}): Promise<Manifest> {
  const { client, directory, commit, signal } = params;
  const files = commit.files.map(({ path: name, size }) => ({ path: name, size }));
  const { directory: target, parts } = await untilAnswered(
    () => client.requestUpload({ step: commit.step, files }, signal),
    signal,
  );
  for (const { path: name } of files) {
    const url = parts?.[name]?.[0]?.url;
    if (target !== null) await moveFile(path.join(directory, name), path.join(target, name));
    else if (url !== undefined) await untilAnswered(() => putFile(path.join(directory, name), url, signal), signal);
    else throw new Error(`the control plane gave no place for ${name}`);
  }
  if (target !== null) await syncFolders(target, commit);
  return untilAnswered(() => client.commit(commit, signal), signal);
}

/** A rename where both are on one file system; else a copy that gets its name when it is complete. */
async function moveFile(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true });
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    const unfinished = `${to}.tmp`;
    await copyFile(from, unfinished);
    await sync(unfinished);
    await rename(unfinished, to);
    await rm(from);
  }
}

async function syncFolders(target: string, commit: CheckpointCommit): Promise<void> {
  const folders = new Set(commit.files.map((file) => path.dirname(path.join(target, file.path))));
  for (const folder of [...folders, path.dirname(target)]) await sync(folder);
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
