import type { Readable } from 'node:stream';
import type { ResumeCandidate, UploadFile, UploadReply } from '../../contracts/agent-operations.ts';
import type { Checkpoint, CheckpointCommit, CheckpointFile, Manifest } from '../../contracts/checkpoint.ts';
import type { RunEvent } from '../../contracts/event.ts';
import { makeDirectory } from '../../platform/atomic-file.ts';
import type { Database } from '../../platform/database.ts';
import { eachLimited } from '../../platform/each-limited.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ByteRange, ObjectStore } from '../../platform/object-store.ts';
import { serialByKey } from '../../platform/serial-by-key.ts';
import { storageFault } from '../../platform/storage-error.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';
import type { EventStore } from '../events/event.store.ts';
import { createCheckpointIndex } from './checkpoint-index.ts';
import { type CheckpointId, checkpointLabel, checkpointPrefix, isSameCheckpoint } from './checkpoint-keys.ts';
import { sizeOf, viewCheckpoint, viewCheckpoints } from './checkpoint-view.ts';
import { commitCheckpoint, readManifest } from './commit-checkpoint.ts';
import { deleteCheckpoint, deleteFiles } from './delete-checkpoint.ts';
import { type FetchOptions, fetchFile } from './fetch-file.ts';
import { lineageOf, onLineage, type ResumedAttempt, resolveName } from './lineage.ts';
import { createPinIndex } from './pin-index.ts';
import { answerCommitted, planUploads, refuseOddKeys } from './request-upload.ts';
import { planRetention, type RetentionPlan, type RetentionRules, shownCheckpoints } from './retention.ts';
import { type Survey, surveyCheckpoints } from './survey.ts';
import { type AttemptSpan, planSweep, type SweepVerdict } from './sweep.ts';
import { createUploads } from './uploads.ts';
import { createUserChanges, type UserChanges } from './user-changes.ts';

/** An attempt that talks to the control plane. */
export interface AttemptRef {
  run: string;
  attempt: number;
}

export interface CheckpointService extends UserChanges {
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
  /**
   * Checkpoints to start from, best choice first: what `from` means, then a few older ones on its lineage for the case that it does not verify.
   * Empty when `latest` means none; throws checkpoint-unusable when another name means none.
   */
  candidates(run: string, from: string): ResumeCandidate[];
  /** The same with URLs that their files are fetched from, where the store is no directory; they hold for `LINK_SECONDS`. */
  withLinks(candidates: readonly ResumeCandidate[]): Promise<ResumeCandidate[]>;
  /** What the run's tree shows: the newest `limit` step checkpoints, the best and the final one. */
  shown(run: string, limit: number): { steps: Manifest[]; best: Manifest | undefined; final: Manifest | undefined };
  /** The directory of a checkpoint's files, where the store is a file system. */
  directory(checkpoint: CheckpointId): string | null;
  /** Puts one of its files somewhere on this machine; see `fetchFile` of `fetch-file.ts`. */
  fetchFile(checkpoint: CheckpointId, file: CheckpointFile, to: string, options: FetchOptions): Promise<void>;
  /** Bytes of one of its files. */
  read(checkpoint: CheckpointId, path: string, range?: ByteRange): Readable;
  /** Deletes what no rule keeps, and files that no manifest makes a checkpoint. Both are decided by what the store holds at that moment. */
  prune(run: string, options: PruneOptions): Promise<PruneReport>;
  /** What `prune` would do now. */
  planPrune(run: string, options: PruneOptions): Promise<PruneReport>;
  /**
   * Deletes files without a manifest whose time has come, of all runs; those of a run that fails are left for the next time. Ends early when `signal` is
   * aborted.
   */
  sweep(signal?: AbortSignal): Promise<void>;
  /** Brings the index in line with the manifests and pins in the store; to be called at start for every run that is not ended. */
  rebuild(run: string): Promise<void>;
  /** Deletes every checkpoint of a run. */
  remove(run: string): Promise<void>;
  /** Calls `listener` after each commit and deletion. */
  subscribe(run: string, listener: () => void): () => void;
}

export interface PruneOptions {
  rules: RetentionRules;
  /** What runs need; see `neededCheckpoints` of `runs/`. */
  protect?: readonly CheckpointId[];
}

export interface PruneReport extends RetentionPlan {
  /** Files that no manifest makes a checkpoint, and why they go. */
  sweep: SweepVerdict[];
}

/** How long links to the files of a checkpoint hold. */
export const LINK_SECONDS = 12 * 3600;
/** Older checkpoints that are offered for the case that the chosen one is damaged. */
const OLDER_CANDIDATES = 4;
const CANDIDATES_AT_ONCE = 2;

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
  const toCandidate = (manifest: Manifest): ResumeCandidate => ({
    label: checkpointLabel(manifest),
    manifest,
    directory: store.localDirectory(checkpointPrefix(manifest)),
    urls: null,
  });

  /** Brings the index in line with what has a manifest. */
  const reconcile = async (run: string, { committed, pinned }: Survey) => {
    for (const id of committed) {
      if (index.has(id)) continue;
      try {
        const manifest = await readManifest(store, id);
        if (manifest !== null) enter(manifest);
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        log.error('A checkpoint cannot be used.', { checkpoint: checkpointLabel(id), error });
      }
    }
    for (const known of index.list(run)) {
      if (!committed.some((id) => isSameCheckpoint(id, known))) leave(known, 'its manifest is gone');
    }
    db.transaction(() => {
      pins.deleteRun(run);
      for (const id of pinned.filter(index.has)) pins.put(id);
    });
  };
  const sweepPlan = (run: string, survey: Survey): SweepVerdict[] =>
    planSweep({ survey, unsettled: uploads.list(run), attemptOf: attempts.get, now: now(), graceMs: sweepGraceMs });
  const planPrune = async (run: string, { rules, protect = [] }: PruneOptions): Promise<PruneReport> => {
    const survey = await surveyCheckpoints(store, run);
    await reconcile(run, survey);
    // What came into the store some other way has its time too, and is found by the next sweep.
    for (const id of survey.loose) if (uploads.get(id) === undefined) uploads.begin(id, now());
    return {
      ...planRetention({ ...view(run), rules, protect, pinned: pins.list(run) }),
      sweep: sweepPlan(run, survey),
    };
  };
  const deleteSwept = async (verdicts: readonly SweepVerdict[]) => {
    for (const { id, why } of verdicts) {
      await deleteFiles({ store, uploads }, id);
      log.info('Removed files of an unfinished checkpoint.', { checkpoint: checkpointLabel(id), why });
    }
  };
  const sweepRun = (run: string) =>
    serial(run, async () => {
      const waiting = uploads.list(run);
      // The store is asked only where something may have to go.
      const due = planSweep({
        survey: { committed: [], loose: [] },
        unsettled: waiting,
        attemptOf: attempts.get,
        now: now(),
        graceMs: sweepGraceMs,
      });
      if (due.length === 0) return;
      const survey = await surveyCheckpoints(store, run);
      // A deletion cut short between manifest and index has left a checkpoint that is none; once its files are gone nothing would look for it again.
      await reconcile(run, survey);
      for (const id of waiting) {
        if (survey.committed.some((each) => isSameCheckpoint(each, id))) uploads.settle(id);
      }
      await deleteSwept(sweepPlan(run, survey));
    });

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

    candidates: (run, from) => {
      const { manifests, lineage } = view(run);
      const first = resolveName(from, { run, manifests, lineage });
      if (first === undefined) {
        if (from === 'latest') return [];
        throw new ProblemError(
          'checkpoint-unusable',
          `${run} has no checkpoint ${from}; it has ${names(viewCheckpoints(view(run), facts))}.`,
        );
      }
      const older = onLineage(manifests, lineageOf(first, attempts.get)).filter((each) => each !== first);
      return [first, ...older.slice(0, OLDER_CANDIDATES)].map(toCandidate);
    },
    withLinks: (candidates) =>
      eachLimited(candidates, CANDIDATES_AT_ONCE, async (candidate) => {
        const { transfers } = store;
        const { manifest } = candidate;
        if (manifest === null || candidate.directory !== null || transfers === null) return candidate;
        const links = await eachLimited(manifest.files, CANDIDATES_AT_ONCE, async ({ path }) => {
          const key = checkpointPrefix(manifest) + path;
          return [path, await transfers.link(key, { seconds: LINK_SECONDS, audience: 'trainer' })] as const;
        });
        return { ...candidate, urls: Object.fromEntries(links) };
      }),

    shown: (run, limit) => {
      const all = view(run);
      return {
        steps: shownCheckpoints({ ...all, limit }),
        best: resolveName('best', all),
        final: resolveName('final', all),
      };
    },
    directory: (id) => store.localDirectory(checkpointPrefix(id)),
    fetchFile: (id, file, to, options) => fetchFile(store, checkpointPrefix(id) + file.path, file, to, options),
    read: (id, path, range) => store.read(checkpointPrefix(id) + path, range),

    planPrune: (run, options) => serial(run, () => planPrune(run, options)),
    prune: (run, options) =>
      serial(run, async () => {
        const report = await planPrune(run, options);
        for (const { manifest, why } of report.remove) await erase(manifest, why);
        await deleteSwept(report.sweep);
        return report;
      }),
    sweep: async (signal) => {
      for (const run of uploads.runsBefore(now() - sweepGraceMs)) {
        if (signal?.aborted) return;
        try {
          await sweepRun(run);
        } catch (error) {
          log.warn('Files of unfinished checkpoints could not be removed; it is tried again.', { run, error });
          // What keeps one run waiting keeps all of them.
          if (storageFault(error)?.kind === 'unreachable') return;
        }
      }
    },

    rebuild: (run) => serial(run, async () => reconcile(run, await surveyCheckpoints(store, run))),

    remove: (run) =>
      serial(run, async () => {
        const { committed, loose } = await surveyCheckpoints(store, run);
        for (const id of committed) await deleteCheckpoint({ store, uploads }, id, () => index.delete(id));
        for (const id of [...loose, ...uploads.list(run)]) await deleteFiles({ store, uploads }, id);
        index.deleteRun(run);
        pins.deleteRun(run);
        uploads.settleRun(run);
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
