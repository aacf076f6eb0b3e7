import type { UploadFile, UploadPart, UploadReply } from '../../contracts/agent-operations.ts';
import { MANIFEST_FILE, MAX_SINGLE_PUT, type Manifest } from '../../contracts/checkpoint.ts';
import { eachLimited } from '../../platform/each-limited.ts';
import { InvalidObjectKeyError, type ObjectStore, type ObjectTransfers } from '../../platform/object-store.ts';
import { ProblemError } from '../api/problem-error.ts';
import { type CheckpointId, checkpointPrefix, PIN_FILE } from './checkpoint-keys.ts';
import { type AnnouncedFile, announce, isSameContent, type Uploads } from './uploads.ts';

const FILES_AT_ONCE = 16;
/** Whoever may write these makes checkpoints, or keeps them. */
const OURS: ReadonlySet<string> = new Set([MANIFEST_FILE, PIN_FILE]);

interface PlanOptions {
  store: ObjectStore;
  transfers: ObjectTransfers;
  uploads: Uploads;
  id: CheckpointId;
  /** Whether nothing was asked for this step before: then the store holds nothing of it. */
  fresh: boolean;
}

/**
 * What is still to be sent of each file of a checkpoint, by path. A file that was announced as the same content before goes on where it stopped;
 * what the store holds of other content is removed first, so that bytes of two contents never meet under one name.
 * Takes a head and, for a file in parts, a list of its parts: the cost grows with the number of files, `FILES_AT_ONCE` at a time.
 * @throws ProblemError invalid-request for a file that is too large to be sent as one, or listed twice
 */
export async function planUploads(
  options: PlanOptions,
  files: readonly UploadFile[],
): Promise<Record<string, UploadPart[]>> {
  refuseOddFiles(files);
  const before = new Map(options.uploads.files(options.id).map((file) => [file.path, file]));
  const planned = await eachLimited(files, FILES_AT_ONCE, async (file) => {
    const parts = await planFile(options, file, before.get(file.path));
    return [file.path, parts] as const;
  });
  return Object.fromEntries(planned);
}

async function planFile(
  { store, transfers, uploads, id, fresh }: PlanOptions,
  file: UploadFile,
  before: AnnouncedFile | undefined,
): Promise<UploadPart[]> {
  const key = checkpointPrefix(id) + file.path;
  const now = announce(file.path, file);
  const same = before !== undefined && isSameContent(before, now);
  if (same && (await store.head(key))?.size === file.size) return [];
  let uploadId = same ? before.upload_id : null;
  if (!same) {
    if (before !== undefined) await abortUploads(transfers, key, before);
    if (!fresh) await store.delete(key);
  } else if (uploadId === null && before.parts !== null) {
    // A multipart upload was begun and the answer, or the process, was lost.
    await abortUploads(transfers, key, before);
  }
  // Noted before it is begun, so that an upload whose id was lost can be found by its key.
  if (!same) uploads.putFile(id, now);
  const plan = await transfers.plan(key, file, uploadId);
  if (plan.uploadId !== uploadId || !same) {
    uploadId = plan.uploadId;
    uploads.putFile(id, { ...now, upload_id: uploadId });
  }
  return plan.parts;
}

/** Removes what was sent of a file in parts and not joined, whether or not the id of its upload is known. */
export async function abortUploads(
  transfers: ObjectTransfers,
  key: string,
  { parts, upload_id: known }: Pick<AnnouncedFile, 'parts' | 'upload_id'>,
): Promise<void> {
  if (known !== null) await transfers.abort(key, known);
  else if (parts !== null) {
    for await (const found of transfers.unfinished(key)) {
      if (found.key === key) await transfers.abort(key, found.uploadId);
    }
  }
}

/**
 * The answer to whoever asks again for files that are committed already, because the answer to the commit was lost: nothing is to be sent, wherever the
 * store is. A directory of a committed checkpoint is never handed out for writing. What was announced without a hash is compared when it is committed.
 * @throws ProblemError conflict for other files
 */
export function answerCommitted({ name, files: stored }: Manifest, files: readonly UploadFile[]): UploadReply {
  const known = new Map(stored.map((file) => [file.path, file]));
  const same = files.every(({ path, size, sha256 }) => {
    const file = known.get(path);
    return file?.size === size && (sha256 === undefined || sha256 === file.sha256);
  });
  if (same && known.size === files.length) {
    return { directory: null, parts: Object.fromEntries(files.map(({ path }) => [path, []])) };
  }
  throw new ProblemError(
    'conflict',
    `${name} of this attempt is committed already with other files; save the next one at a later step.`,
  );
}

function refuseOddFiles(files: readonly UploadFile[]): void {
  const seen = new Set<string>();
  for (const { path, size, parts } of files) {
    if (seen.has(path)) throw new ProblemError('invalid-request', `files: ${path} is listed twice; list it once.`);
    seen.add(path);
    if (OURS.has(path)) {
      throw new ProblemError('invalid-request', `files: ${path} is written by the control plane; leave it out.`);
    }
    if (size > MAX_SINGLE_PUT && parts === undefined) {
      throw new ProblemError(
        'invalid-request',
        `files: ${path} has ${size} bytes, and one request takes ${MAX_SINGLE_PUT} at most; cut it into parts (\`parts\` with the sha256 of each).`,
      );
    }
  }
}

/** A path that no object can have is the request's mistake. */
export async function refuseOddKeys<T>(work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    if (error instanceof InvalidObjectKeyError) throw new ProblemError('invalid-request', error.message);
    throw error;
  });
}
