import { mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { ResumeCandidate } from '../../contracts/agent-operations.ts';
import { downloadFiles } from '../../platform/transfer/download-file.ts';
import { TransferError, type TransferErrorKind } from '../../platform/transfer/transfer-error.ts';
import { CheckpointError, type CheckpointErrorCode } from '../checkpoint/checkpoint-error.ts';
import { type FreeBytes, freeBytes, MIB, requireFreeSpace } from '../free-space.ts';

/** A store that is away is waited for until ten minutes have passed without a byte. */
const FETCH_RETRY = { tries: Number.POSITIVE_INFINITY, withinMs: 600_000, baseMs: 200, maxMs: 10_000 };
/** For folders and names. */
const MARGIN_BYTES = MIB;

/** What is wrong with the checkpoint itself, so that another one may do. */
const unusable: Partial<Record<TransferErrorKind, CheckpointErrorCode>> = {
  damaged: 'hash_mismatch',
  wrong_size: 'size_mismatch',
  missing: 'missing_file',
};

/**
 * Fetches the files of a checkpoint into a directory, which is emptied before. Every byte is verified on its way, so that it need not be read again for
 * that. Nothing is asked for unless all of it fits on the disk.
 *
 * @throws CheckpointError when the checkpoint is at fault, TrainerError `disk_full`, TransferError for the rest.
 */
export async function fetchCandidate(
  { label, manifest, urls }: Omit<ResumeCandidate, 'directory'>,
  into: string,
  { signal, free = freeBytes }: { readonly signal: AbortSignal; readonly free?: FreeBytes },
): Promise<void> {
  if (manifest === null || urls === null) {
    throw new CheckpointError('missing_file', label, 'has neither a directory nor URLs with a manifest');
  }
  await rm(into, { recursive: true, force: true });
  const files = manifest.files.map((expected) => {
    const url = urls[expected.path];
    if (url === undefined) throw new CheckpointError('missing_file', expected.path, `of ${label} has no URL`);
    return { url, file: path.join(into, expected.path), expected };
  });
  await mkdir(into, { recursive: true });
  await requireFreeSpace(
    {
      directory: into,
      needed: manifest.files.reduce((sum, { size }) => sum + size, MARGIN_BYTES),
      what: `fetching ${label}`,
      afterwards: 'then resume the run',
    },
    free,
  );
  try {
    await downloadFiles(files, { signal, durable: false, retry: FETCH_RETRY });
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
    const code = unusable[error.kind];
    throw code === undefined ? error : new CheckpointError(code, label, `cannot be used: ${error.message}`);
  }
}
