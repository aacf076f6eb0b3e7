import { copyFile, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { UploadReply } from '../../contracts/agent-operations.ts';
import type { CheckpointCommit, Manifest } from '../../contracts/checkpoint.ts';
import { TransferError } from '../../platform/transfer/transfer-error.ts';
import type { RetryLimits } from '../../platform/transfer/transfer-options.ts';
import { uploadFiles } from '../../platform/transfer/upload-parts.ts';
import { type AgentClient, AgentError } from './agent-client.ts';
import { backoffMs, untilAnswered } from './backoff.ts';

export interface StoreCheckpoint {
  readonly client: AgentClient;
  /** Holds the files under the paths of `commit.files`; they may be moved away. */
  readonly directory: string;
  readonly commit: CheckpointCommit;
  readonly signal: AbortSignal;
  /** Told of bytes that the object store has taken. */
  readonly onProgress?: (bytes: number) => void;
  /** Of each part. */
  readonly retry?: RetryLimits;
  /** After so many milliseconds without a byte a store is not asked again; five minutes. */
  readonly patienceMs?: number;
}

/**
 * Brings the files of a written checkpoint to where the control plane keeps them and commits it. Waits for a control plane that is away; an object
 * store that takes nothing for about five minutes is an error.
 *
 * @throws AgentError or TransferError when it is refused, the signal's reason, or an error of the disk.
 */
export async function storeCheckpoint(params: StoreCheckpoint): Promise<Manifest> {
  const { client, directory, commit, signal } = params;
  const request = { step: commit.step, files: commit.files };
  const ask = () => untilAnswered(() => client.requestUpload(request, signal), signal);
  const reply = await ask();
  if (reply.directory === null) return sendAndCommit(params, reply, ask);
  for (const { path: name } of commit.files) {
    await moveFile(path.join(directory, name), path.join(reply.directory, name));
  }
  await syncFolders(reply.directory, commit);
  return untilAnswered(() => client.commit(commit, signal), signal);
}

/** How often a save asks for fresh URLs since a byte got through last: URLs that never hold mean clocks that differ. */
const MOST_EXPIRED = 3;
/** How often, in one save, parts may be missing although all were sent: that comes when an upload is removed meanwhile. */
const MOST_MISSING = 3;
/**
 * After so many milliseconds without a byte a store is not asked again, since training waits for the save. A round in which nothing answers takes one
 * to two and a half minutes.
 */
const PATIENCE_MS = 5 * 60_000;

/** The control plane answers each time what is still missing, under fresh URLs: that is how an upload goes on. */
async function sendAndCommit(
  params: StoreCheckpoint,
  reply: UploadReply,
  ask: () => Promise<UploadReply>,
): Promise<Manifest> {
  const { client, commit, signal, retry } = params;
  const trouble = createTrouble(params.patienceMs ?? PATIENCE_MS);
  const onProgress = (bytes: number) => {
    trouble.advanced();
    params.onProgress?.(bytes);
  };
  for (let missing = reply; ; missing = await ask()) {
    let failures: number | null;
    const began = performance.now();
    try {
      await uploadFiles(toSend(params, missing), { signal, retry, onProgress });
      return await untilAnswered(() => client.commit(commit, signal), signal);
    } catch (error) {
      signal.throwIfAborted();
      failures = trouble.count(error, began);
      if (failures === null) throw error;
    }
    await sleep(backoffMs(failures), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** What has gone wrong in a save, each kind for itself. */
function createTrouble(patienceMs: number) {
  let [expired, missing, away, awayMs, advancedAt] = [0, 0, 0, 0, 0];
  return {
    /** A byte has got through. */
    advanced(): void {
      [expired, away, awayMs, advancedAt] = [0, 0, 0, performance.now()];
    },
    /** How often there was this kind of trouble; null when asking again is of no use, or no longer. `began`: the round that failed. */
    count(error: unknown, began: number): number | null {
      if (error instanceof AgentError) {
        return error.status === 422 && ++missing < MOST_MISSING ? missing : null;
      }
      if (!(error instanceof TransferError)) return null;
      if (error.kind === 'expired') return ++expired < MOST_EXPIRED ? expired : null;
      if (error.kind !== 'unreachable') return null;
      // Only time that was spent on the store: a control plane that is away is waited for as long as it takes.
      awayMs += performance.now() - Math.max(began, advancedAt);
      away += 1;
      if (awayMs >= patienceMs) return null;
      awayMs += backoffMs(away);
      return away;
    },
  };
}

function toSend({ directory, commit }: StoreCheckpoint, { parts }: UploadReply) {
  return commit.files.map(({ path: name }) => {
    const missing = parts?.[name];
    if (missing === undefined) throw new Error(`the control plane gave no place for ${name}`);
    return { file: path.join(directory, name), parts: missing };
  });
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
