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
}

/**
 * Brings the files of a written checkpoint to where the control plane keeps them and commits it. Waits for a control plane that is away; an object
 * store that takes nothing for minutes is an error.
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

/**
 * Rounds without a byte getting through, until the save is given up: URLs that never hold mean clocks that differ; parts that are missing
 * although all were sent come once, when an upload was removed meanwhile; a store that is away for about five minutes is not waited for, since training
 * waits for the save.
 */
const ROUNDS = { expired: 3, missing: 2, unreachable: 20 } as const;

/** The control plane answers each time what is still missing, under fresh URLs: that is how an upload goes on. */
async function sendAndCommit(
  params: StoreCheckpoint,
  reply: UploadReply,
  ask: () => Promise<UploadReply>,
): Promise<Manifest> {
  const { client, commit, signal, onProgress, retry } = params;
  let [sent, sentBefore, rounds] = [0, 0, 0];
  const count = (bytes: number) => {
    sent += bytes;
    onProgress?.(bytes);
  };
  for (let missing = reply; ; missing = await ask()) {
    try {
      await uploadFiles(toSend(params, missing), { signal, retry, onProgress: count });
      return await untilAnswered(() => client.commit(commit, signal), signal);
    } catch (error) {
      signal.throwIfAborted();
      const why = reasonToAskAgain(error);
      rounds = sent > sentBefore ? 1 : rounds + 1;
      sentBefore = sent;
      if (why === null || rounds >= ROUNDS[why]) throw error;
    }
    await sleep(backoffMs(rounds), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function toSend({ directory, commit }: StoreCheckpoint, { parts }: UploadReply) {
  return commit.files.map(({ path: name }) => {
    const missing = parts?.[name];
    if (missing === undefined) throw new Error(`the control plane gave no place for ${name}`);
    return { file: path.join(directory, name), parts: missing };
  });
}

function reasonToAskAgain(error: unknown): keyof typeof ROUNDS | null {
  if (error instanceof AgentError) return error.status === 422 ? 'missing' : null;
  if (!(error instanceof TransferError)) return null;
  if (error.kind === 'expired') return 'expired';
  return error.kind === 'unreachable' ? 'unreachable' : null;
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
