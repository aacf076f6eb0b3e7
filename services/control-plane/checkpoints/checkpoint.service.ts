import type { Readable } from 'node:stream';
import type { UploadFile, UploadReply } from '../../contracts/agent-operations.ts';
import type { Checkpoint, CheckpointCommit, CheckpointFile, Manifest } from '../../contracts/checkpoint.ts';
import type { RunEvent } from '../../contracts/event.ts';
import { makeDirectory } from '../../platform/atomic-file.ts';
import type { Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ByteRange, ObjectStore } from '../../platform/object-store.ts';
import { serialByKey } from '../../platform/serial-by-key.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';
import type { EventStore } from '../events/event.store.ts';
import { type Candidates, createCandidates } from './candidates.ts';
import { createCheckpointIndex } from './checkpoint-index.ts';
import { type CheckpointId, checkpointLabel, checkpointPrefix } from './checkpoint-keys.ts';
import { sizeOf, viewCheckpoint, viewCheckpoints } from './checkpoint-view.ts';
import { commitCheckpoint } from './commit-checkpoint.ts';
import { deleteCheckpoint, deleteFiles } from './delete-checkpoint.ts';
import { type FetchOptions, fetchFile } from './fetch-file.ts';
import { createKeeping, type Keeping } from './keeping.ts';
import { type ResumedAttempt, resolveName } from './lineage.ts';
import { createPinIndex } from './pin-index.ts';
import { readManifest } from './read-manifest.ts';
import { answerCommitted, planUploads, refuseOddKeys } from './request-upload.ts';
import { shownCheckpoints } from './retention.ts';
import type { AttemptSpan } from './sweep.ts';
import { createUploads } from './uploads.ts';
import { createUserChanges, type UserChanges } from './user-changes.ts';

/** An attempt that talks to the control plane. */
export interface AttemptRef {
  run: string;
  attempt: number;
}

export interface CheckpointService extends Candidates, Keeping, UserChanges {
  /**
   * Where the files of a checkpoint go, and what of them is still to be sent. Throws attempt-closed, conflict when that step is committed already
   * with other files, or invalid-request for files that cannot be stored.
   */
  requestUpload(by: AttemptRef, upload: { step: number; files: readonly UploadFile[] }): Promise<UploadReply>;
  /** Makes uploaded files a checkpoint. Throws attempt-closed, checkpoint-unusable, conflict. Repeating it answers the same. */
  commit(by: AttemptRef, commit: CheckpointCommit): Promise<Manifest>;
  /** The run's own checkpoints, newest first. */
  list(run: string): Checkpoint[];
  /** What a name means: `latest`, `best`, `final`, `checkpoint-<step>` on the lineage, `a<attempt>/checkpoint-<step>` any of the run. */
  resolve(run: string, name: string): Manifest | undefined;
  /** The checkpoint that a name means as the API shows it, inherited ones too. */
  show(run: string, name: string): Checkpoint | undefined;
  /** What the run's tree shows: the newest `limit` step checkpoints, the best and the final one. */
  shown(run: string, limit: number): { steps: Manifest[]; best: Manifest | undefined; final: Manifest | undefined };
  /** Puts one of its files somewhere on this machine; see `fetchFile` of `fetch-file.ts`. */
  fetchFile(checkpoint: CheckpointId, file: CheckpointFile, to: string, options: FetchOptions): Promise<void>;
  /** Bytes of one of its files. */
  read(checkpoint: CheckpointId, path: string, range?: ByteRange): Readable;
  /** Calls `listener` after each commit and deletion. */
  subscribe(run: string, listener: () => void): () => void;
}

export interface CheckpointServiceOptions {
  db: Database;
  store: ObjectStore;
  attempts: {
    open(run: string): { number: number } | undefined;
    get(run: string, attempt: number): (ResumedAttempt & AttemptSpan & { resumed_from: string | null }) | undefined;
    lineage(run: string): LineageLink[];
  };
  events: Pick<EventStore, 'append'>;
  /** How long files without a manifest are left alone, in milliseconds; see `planSweep`. */
  sweepGraceMs: number;
  now: () => number;
  log: Logger;
}

export function createCheckpointService({
  db,
  store,
  attempts,
  events,
  sweepGraceMs,
  now,
  log,
}: CheckpointServiceOptions): CheckpointService {
  const index = createCheckpointIndex({ db });
  const uploads = createUploads({ db });
  const pins = createPinIndex({ db });
  const serial = serialByKey();
  const listeners = new Map<string, Set<() => void>>();
  const changed = (run: string) => {
    for (const listener of listeners.get(run) ?? []) listener();
  };
  /** Checkpoints whose deletion has begun: nothing may choose them any more, although their manifests may still be there. */
  const leaving = new Set<string>();
  const view = (run: string) => {
    const lineage = attempts.lineage(run);
    const runs = new Set([run, ...lineage.map((link) => link.run)]);
    const manifests = [...runs].flatMap(index.list).filter((manifest) => !leaving.has(checkpointLabel(manifest)));
    return { run, lineage, manifests };
  };
  const facts = {
    isPinned: pins.has,
    parentOf: ({ run, attempt }: CheckpointId) => attempts.get(run, attempt)?.resumed_from ?? null,
  };
  const resolve = (run: string, name: string) => resolveName(name, view(run));
  const requireOpen = ({ run, attempt }: AttemptRef) => {
    if (attempts.open(run)?.number === attempt) return;
    throw new ProblemError('attempt-closed', `Attempt a${attempt} of ${run} is over; stop without saving.`);
  };

  const enter = (manifest: Manifest) => {
    db.transaction(() => {
      if (index.has(manifest)) return;
      index.put(manifest);
      const { run, attempt, step, name, purposes, policy_version, files } = manifest;
      const size = sizeOf({ files });
      events.append({
        run,
        attempt,
        name: 'checkpoint_committed',
        actor: 'trainer',
        message: `Checkpoint saved: ${name}`,
        data: { checkpoint: `a${attempt}/${name}`, step, purposes, policy_version, size },
      });
    });
    changed(manifest.run);
  };
  const leave = (id: CheckpointId, why: string, actor: RunEvent['actor'] = 'control_plane') => {
    db.transaction(() => {
      if (!index.has(id)) return;
      index.delete(id);
      pins.delete(id);
      events.append({
        run: id.run,
        attempt: id.attempt,
        name: 'checkpoint_deleted',
        actor,
        message: `Checkpoint deleted: a${id.attempt}/checkpoint-${id.step} (${why})`,
        data: { checkpoint: `a${id.attempt}/checkpoint-${id.step}`, step: id.step },
      });
    });
    changed(id.run);
  };
  const erase = async (id: CheckpointId, why: string, actor: RunEvent['actor'] = 'control_plane') => {
    leaving.add(checkpointLabel(id));
    try {
      await deleteCheckpoint({ store, uploads }, id, () => leave(id, why, actor));
    } finally {
      leaving.delete(checkpointLabel(id));
    }
  };
  return {
    requestUpload: ({ run, attempt }, { step, files }) =>
      serial(run, async () => {
        requireOpen({ run, attempt });
        const id = { run, attempt, step };
        const committed = await readManifest(store, id);
        if (committed !== null) return answerCommitted(committed, files);
        const before = uploads.get(id);
        if (before?.since === 0) await deleteFiles({ store, uploads }, id);
        uploads.begin(id, now());
        const directory = store.localDirectory(checkpointPrefix(id));
        if (directory !== null) {
          await makeDirectory(directory);
          return { directory, parts: null };
        }
        const { transfers } = store;
        if (transfers === null) {
          throw new ProblemError('unavailable', 'This object store takes no uploads; use files or an S3 store.');
        }
        const fresh = before === undefined;
        const parts = await refuseOddKeys(planUploads({ store, transfers, uploads, id, fresh }, files));
        return { directory: null, parts };
      }),

    commit: ({ run, attempt }, commit) =>
      serial(run, async () => {
        requireOpen({ run, attempt });
        const createdAt = new Date(now()).toISOString();
        const stillOpen = () => requireOpen({ run, attempt });
        const manifest = await commitCheckpoint({ store, uploads, run, attempt, commit, createdAt, stillOpen });
        enter(manifest);
        uploads.settle(manifest);
        return manifest;
      }),

    list: (run) => viewCheckpoints(view(run), facts),
    resolve,
    show: (run, name) => {
      const scope = view(run);
      const manifest = resolveName(name, scope);
      return manifest && viewCheckpoint(manifest, scope, facts);
    },
    ...createUserChanges({ db, store, pins, events, now, serial, resolve, erase }),
    ...createCandidates({ store, attempts, view, facts }),
    ...createKeeping({
      db,
      store,
      index,
      uploads,
      pins,
      attempts,
      sweepGraceMs,
      now,
      log,
      serial,
      view,
      enter,
      leave,
      erase,
      changed,
    }),

    shown: (run, limit) => {
      const all = view(run);
      return {
        steps: shownCheckpoints({ ...all, limit }),
        best: resolveName('best', all),
        final: resolveName('final', all),
      };
    },
    fetchFile: (id, file, to, options) => fetchFile(store, checkpointPrefix(id) + file.path, file, to, options),
    read: (id, path, range) => store.read(checkpointPrefix(id) + path, range),

    subscribe: (run, listener) => {
      const set = listeners.get(run) ?? new Set();
      set.add(listener);
      listeners.set(run, set);
      return () => {
        set.delete(listener);
        if (set.size === 0 && listeners.get(run) === set) listeners.delete(run);
      };
    },
  };
}
