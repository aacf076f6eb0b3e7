import type { Manifest } from '../../contracts/checkpoint.ts';
import type { Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import type { serialByKey } from '../../platform/serial-by-key.ts';
import { storageFault } from '../../platform/storage-error.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { CheckpointIndex } from './checkpoint-index.ts';
import { type CheckpointId, checkpointLabel, isSameCheckpoint } from './checkpoint-keys.ts';
import type { CheckpointScope } from './checkpoint-view.ts';
import { deleteCheckpoint, deleteFiles } from './delete-checkpoint.ts';
import type { PinIndex } from './pin-index.ts';
import { readManifest } from './read-manifest.ts';
import { planRetention, type RetentionPlan, type RetentionRules } from './retention.ts';
import { type Survey, surveyCheckpoints } from './survey.ts';
import { type AttemptSpan, planSweep, type SweepVerdict } from './sweep.ts';
import type { Uploads } from './uploads.ts';

/** What becomes of the checkpoints of runs in the course of time. */
export interface Keeping {
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

export interface KeepingOptions {
  db: Database;
  store: ObjectStore;
  index: CheckpointIndex;
  uploads: Uploads;
  pins: PinIndex;
  attempts: { get(run: string, attempt: number): AttemptSpan | undefined };
  sweepGraceMs: number;
  now: () => number;
  log: Logger;
  serial: ReturnType<typeof serialByKey>;
  view: (run: string) => CheckpointScope;
  /** Puts a checkpoint that has a manifest into the index, with its event. */
  enter: (manifest: Manifest) => void;
  /** Takes one that has none any more out of it, with its event. */
  leave: (id: CheckpointId, why: string) => void;
  /** Deletes a checkpoint. */
  erase: (id: CheckpointId, why: string) => Promise<void>;
  /** Tells who listens to the run. */
  changed: (run: string) => void;
}

/** Brings index and store in line, and deletes what need not stay; all of one run one after another. */
export function createKeeping(options: KeepingOptions): Keeping {
  const { db, store, index, uploads, pins, attempts, sweepGraceMs, now, log, serial, view } = options;
  const { enter, leave, erase, changed } = options;

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
  };
}
