import { createHash } from 'node:crypto';
import type { Database } from '../../platform/database.ts';
import type { UploadFile } from '../../platform/object-store.ts';
import type { CheckpointId } from './checkpoint-keys.ts';

/** What a file was announced as. `parts` is a digest of how it is cut; `upload_id` null: it goes as one, or its multipart upload is not known. */
export interface AnnouncedFile {
  path: string;
  size: number;
  sha256: string | null;
  parts: string | null;
  upload_id: string | null;
}

/** A checkpoint that is not settled; `since` in milliseconds since the epoch, 0 for one that is being deleted. */
export interface Unsettled extends CheckpointId {
  since: number;
}

export type Uploads = ReturnType<typeof createUploads>;

/** Which checkpoints are being uploaded or deleted, as SQLite has it: the store alone cannot tell how old an upload is. */
export function createUploads({ db }: { db: Database }) {
  const keyOf = ({ run, attempt, step }: CheckpointId) => ({ run, attempt, step });
  return {
    /** Notes that the files of a checkpoint come from now on, or go (`since` 0). */
    begin: (id: CheckpointId, since: number): void => {
      db.run(
        `INSERT INTO unsettled VALUES (:run, :attempt, :step, :since)
         ON CONFLICT DO UPDATE SET since = excluded.since`,
        { ...keyOf(id), since },
      );
    },
    /** It has a manifest now, or nothing of it is left. */
    settle: (id: CheckpointId): void => {
      db.run('DELETE FROM unsettled WHERE run = :run AND attempt = :attempt AND step = :step', keyOf(id));
    },
    settleRun: (run: string): void => {
      db.run('DELETE FROM unsettled WHERE run = :run', { run });
    },
    get: ({ run, attempt, step }: CheckpointId): Unsettled | undefined =>
      db.get<Unsettled>('SELECT * FROM unsettled WHERE run = :run AND attempt = :attempt AND step = :step', {
        run,
        attempt,
        step,
      }),
    list: (run: string): Unsettled[] =>
      db.all<Unsettled>('SELECT * FROM unsettled WHERE run = :run ORDER BY attempt, step', { run }),
    /** Runs that have some from before that time. */
    runsBefore: (time: number): string[] =>
      db
        .all<{ run: string }>('SELECT DISTINCT run FROM unsettled WHERE since <= :time ORDER BY run', { time })
        .map(({ run }) => run),
    files: (id: CheckpointId): AnnouncedFile[] =>
      db.all<AnnouncedFile>(
        `SELECT path, size, sha256, parts, upload_id FROM upload_files
         WHERE run = :run AND attempt = :attempt AND step = :step ORDER BY path`,
        keyOf(id),
      ),
    putFile: (id: CheckpointId, file: AnnouncedFile): void => {
      db.run(
        `INSERT OR REPLACE INTO upload_files VALUES (:run, :attempt, :step, :path, :size, :sha256, :parts, :upload_id)`,
        { ...keyOf(id), ...file },
      );
    },
  };
}

/** What is kept of an announced file. */
export function announce(path: string, { size, sha256, parts }: UploadFile): AnnouncedFile {
  const cut =
    parts &&
    createHash('sha256')
      .update(`${parts.size} ${parts.sha256.join(' ')}`)
      .digest('hex');
  return { path, size, sha256: sha256 ?? null, parts: cut ?? null, upload_id: null };
}

/** Whether both are announced as the same content in the same parts; without any hash it is not known. */
export function isSameContent(a: AnnouncedFile, b: AnnouncedFile): boolean {
  if (a.sha256 === null && a.parts === null) return false;
  return a.size === b.size && a.sha256 === b.sha256 && a.parts === b.parts;
}
