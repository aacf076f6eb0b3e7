import type { Readable } from 'node:stream';
import type { ResumeCandidate, UploadReply } from '../../contracts/agent-operations.ts';
import type { Checkpoint, CheckpointCommit, CheckpointFile, Manifest } from '../../contracts/checkpoint.ts';
import { makeDirectory } from '../../platform/atomic-file.ts';
import type { Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ByteRange, ObjectStore } from '../../platform/object-store.ts';
import { serialByKey } from '../../platform/serial-by-key.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';
import type { EventStore } from '../events/event.store.ts';
import { createCheckpointIndex } from './checkpoint-index.ts';
import { type CheckpointId, checkpointLabel, checkpointPrefix, isSameCheckpoint } from './checkpoint-keys.ts';
import { viewCheckpoints } from './checkpoint-view.ts';
import { commitCheckpoint, readManifest } from './commit-checkpoint.ts';
import { deleteCheckpoint, findCommitted, sweepFiles } from './delete-checkpoint.ts';
import { lineageOf, onLineage, type ResumedAttempt, resolveName } from './lineage.ts';
import { planRetention, type RetentionPlan, shownCheckpoints } from './retention.ts';

/** An attempt that talks to the control plane. */
export interface AttemptRef {
  run: string;
  attempt: number;
}

export interface CheckpointService {
  /** Where the files of a checkpoint go. Throws attempt-closed, or conflict when that step is committed already. */
  requestUpload(
    by: AttemptRef,
    upload: { step: number; files: readonly Pick<CheckpointFile, 'path' | 'size'>[] },
  ): Promise<UploadReply>;
  /** Makes uploaded files a checkpoint. Throws attempt-closed, checkpoint-unusable, conflict. Repeating it answers the same. */
  commit(by: AttemptRef, commit: CheckpointCommit): Promise<Manifest>;
  /** The run's own checkpoints, newest first. */
  list(run: string): Checkpoint[];
  /** What a name means: `latest`, `best`, `final`, `checkpoint-<step>` on the lineage, `a<attempt>/checkpoint-<step>` any of the run. */
  resolve(run: string, name: string): Manifest | undefined;
  /**
   * Checkpoints to start from, best choice first: what `from` means, then older ones on its lineage for the case that it does not verify.
   * Empty when `latest` means none; throws checkpoint-unusable when another name means none.
   */
  candidates(run: string, from: string): ResumeCandidate[];
  /** What the run's tree shows: the newest `limit` step checkpoints, the best and the final one. */
  shown(run: string, limit: number): { steps: Manifest[]; best: Manifest | undefined; final: Manifest | undefined };
  /** The directory of a checkpoint's files, where the store is a file system. */
  directory(checkpoint: CheckpointId): string | null;
  /** Bytes of one of its files. */
  read(checkpoint: CheckpointId, path: string, range?: ByteRange): Readable;
  /** Deletes what `save_total_limit` and `protect` do not keep, and files that no manifest makes a checkpoint. */
  prune(run: string, options: { limit: number; protect?: readonly CheckpointId[] }): Promise<RetentionPlan>;
  /** Brings the index in line with the manifests in the store; to be called at start for every run that is not ended. */
  rebuild(run: string): Promise<void>;
  /** Deletes every checkpoint of a run. */
  remove(run: string): Promise<void>;
  /** Calls `listener` after each commit and deletion. */
  subscribe(run: string, listener: () => void): () => void;
}

export interface CheckpointServiceOptions {
  db: Database;
  store: ObjectStore;
  attempts: {
    open(run: string): { number: number } | undefined;
    get(run: string, attempt: number): ResumedAttempt | undefined;
    lineage(run: string): LineageLink[];
  };
  events: Pick<EventStore, 'append'>;
  now: () => number;
  log: Logger;
}

export function createCheckpointService({
  db,
  store,
  attempts,
  events,
  now,
  log,
}: CheckpointServiceOptions): CheckpointService {
  const index = createCheckpointIndex({ db });
  const serial = serialByKey();
  const listeners = new Map<string, Set<() => void>>();
  const changed = (run: string) => {
    for (const listener of listeners.get(run) ?? []) listener();
  };
  const view = (run: string) => {
    const lineage = attempts.lineage(run);
    const runs = new Set([run, ...lineage.map((link) => link.run)]);
    return { run, lineage, manifests: [...runs].flatMap(index.list) };
  };
  const requireOpen = ({ run, attempt }: AttemptRef) => {
    if (attempts.open(run)?.number === attempt) return;
    throw new ProblemError('attempt-closed', `Attempt a${attempt} of ${run} is over; stop without saving.`);
  };

  const enter = (manifest: Manifest) => {
    db.transaction(() => {
      if (index.has(manifest)) return;
      index.put(manifest);
      const { run, attempt, step, name, purposes, policy_version, files } = manifest;
      const size = files.reduce((sum, file) => sum + file.size, 0);
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
  const leave = (id: CheckpointId, why: string) => {
    db.transaction(() => {
      if (!index.has(id)) return;
      index.delete(id);
      events.append({
        run: id.run,
        attempt: id.attempt,
        name: 'checkpoint_deleted',
        actor: 'control_plane',
        message: `Checkpoint deleted: a${id.attempt}/checkpoint-${id.step} (${why})`,
        data: { checkpoint: `a${id.attempt}/checkpoint-${id.step}`, step: id.step },
      });
    });
    changed(id.run);
  };
  const toCandidate = (manifest: Manifest): ResumeCandidate => ({
    label: checkpointLabel(manifest),
    manifest,
    directory: store.localDirectory(checkpointPrefix(manifest)),
    urls: null,
  });

  return {
    requestUpload: async ({ run, attempt }, { step }) => {
      requireOpen({ run, attempt });
      const id = { run, attempt, step };
      if ((await readManifest(store, id)) !== null) {
        throw new ProblemError(
          'conflict',
          `checkpoint-${step} of this attempt is committed already; save the next one at a later step.`,
        );
      }
      const directory = store.localDirectory(checkpointPrefix(id));
      if (directory === null) {
        throw new ProblemError('unavailable', 'This object store hands out no upload directories; use a file store.');
      }
      await makeDirectory(directory);
      return { directory, parts: null };
    },

    commit: ({ run, attempt }, commit) =>
      serial(run, async () => {
        requireOpen({ run, attempt });
        const createdAt = new Date(now()).toISOString();
        const stillOpen = () => requireOpen({ run, attempt });
        const manifest = await commitCheckpoint({ store, run, attempt, commit, createdAt, stillOpen });
        enter(manifest);
        return manifest;
      }),

    list: (run) => viewCheckpoints(view(run)),
    resolve: (run, name) => resolveName(name, view(run)),

    candidates: (run, from) => {
      const { manifests, lineage } = view(run);
      const first = resolveName(from, { run, manifests, lineage });
      if (first === undefined) {
        if (from === 'latest') return [];
        throw new ProblemError(
          'checkpoint-unusable',
          `${run} has no checkpoint ${from}; it has ${names(viewCheckpoints(view(run)))}.`,
        );
      }
      const older = onLineage(manifests, lineageOf(first, attempts.get)).filter((each) => each !== first);
      return [first, ...older].map(toCandidate);
    },

    shown: (run, limit) => {
      const all = view(run);
      return {
        steps: shownCheckpoints({ ...all, limit }),
        best: resolveName('best', all),
        final: resolveName('final', all),
      };
    },
    directory: (id) => store.localDirectory(checkpointPrefix(id)),
    read: (id, path, range) => store.read(checkpointPrefix(id) + path, range),

    prune: (run, { limit, protect = [] }) =>
      serial(run, async () => {
        const plan = planRetention({ ...view(run), limit, protect });
        for (const manifest of plan.remove) {
          await deleteCheckpoint(store, manifest, () => leave(manifest, `save_total_limit ${limit}`));
        }
        const swept = await sweepFiles(store, run, attempts.open(run)?.number ?? null);
        for (const id of swept)
          log.info('Removed files of an unfinished checkpoint.', { checkpoint: checkpointLabel(id) });
        return plan;
      }),

    rebuild: (run) =>
      serial(run, async () => {
        const stored = await findCommitted(store, run);
        for (const id of stored) {
          if (index.has(id)) continue;
          try {
            const manifest = await readManifest(store, id);
            if (manifest !== null) enter(manifest);
          } catch (error) {
            log.error('A checkpoint cannot be used.', { checkpoint: checkpointLabel(id), error });
          }
        }
        for (const known of index.list(run)) {
          if (!stored.some((id) => isSameCheckpoint(id, known))) leave(known, 'its manifest is gone');
        }
      }),

    remove: (run) =>
      serial(run, async () => {
        for (const id of await findCommitted(store, run)) {
          await deleteCheckpoint(store, id, () => index.delete(id));
        }
        await sweepFiles(store, run, null);
        index.deleteRun(run);
        changed(run);
      }),

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

/** A folder that was saved by someone else, without a manifest, as something to start from. */
export function foreignCandidate(directory: string): ResumeCandidate {
  return { label: directory, manifest: null, directory, urls: null };
}

function names(checkpoints: readonly Checkpoint[]): string {
  return checkpoints.length === 0 ? 'none' : checkpoints.map(({ name }) => name).join(', ');
}
