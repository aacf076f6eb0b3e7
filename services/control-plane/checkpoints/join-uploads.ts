import type { CheckpointFile } from '../../contracts/checkpoint.ts';
import { eachLimited } from '../../platform/each-limited.ts';
import { type ObjectTransfers, UploadIncompleteError } from '../../platform/object-store.ts';
import { ProblemError } from '../api/problem-error.ts';
import { type CheckpointId, checkpointPrefix } from './checkpoint-keys.ts';
import { announce, type Uploads } from './uploads.ts';

const FILES_AT_ONCE = 8;

/**
 * Joins the parts of the files that a commit lists; repeating it does nothing. Throws checkpoint-unusable when a file was announced as other content
 * than is committed, or when parts of it are missing: both are mended by asking for the upload again.
 */
export async function joinUploads(
  { transfers, uploads, id }: { transfers: ObjectTransfers; uploads: Uploads; id: CheckpointId },
  files: readonly CheckpointFile[],
): Promise<void> {
  const announced = new Map(uploads.files(id).map((file) => [file.path, file]));
  await eachLimited(files, FILES_AT_ONCE, async (file) => {
    const before = announced.get(file.path);
    if (before === undefined) return;
    const { sha256, parts } = announce(file.path, file);
    const same = (before.sha256 === null || before.sha256 === sha256) && before.parts === parts;
    if (!same || before.size !== file.size) {
      throw new ProblemError(
        'checkpoint-unusable',
        `checkpoint-${id.step}: ${file.path} was announced for its upload with another size, sha256 or parts than are committed; ask for the upload of what is to be committed, send it and commit again.`,
      );
    }
    if (before.upload_id === null) return;
    try {
      await transfers.complete(checkpointPrefix(id) + file.path, file, before.upload_id);
    } catch (error) {
      if (!(error instanceof UploadIncompleteError)) throw error;
      throw new ProblemError('checkpoint-unusable', `checkpoint-${id.step}: ${error.message}`, { cause: error });
    }
  });
}
