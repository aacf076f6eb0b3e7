import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../contracts/checkpoint.ts';
import type { ImportReport, ImportRequest } from '../../contracts/checkpoint-requests.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { serialByKey } from '../../platform/serial-by-key.ts';
import { ProblemError } from '../api/problem-error.ts';
import { createCheckpointIndex } from '../checkpoints/checkpoint-index.ts';
import { refuseIn } from '../runs/check-spec.ts';
import type { RunServiceOptions } from '../runs/run-service-options.ts';
import type { SubmissionPlan } from '../runs/submission-plan.ts';
import { checkSubmission, newRunRow, planSubmission, prepareModelFor } from '../runs/submit-run.ts';
import { copyCheckpoint } from './copy-checkpoint.ts';
import { LeftOutError } from './import-folder.ts';
import { createImportJournal, type ImportEntry } from './import-journal.ts';
import { missingParts, type PlannedCheckpoint } from './plan-checkpoints.ts';
import { type ImportPlan, planImport } from './plan-import.ts';

export interface ImportService {
  /** What would be imported. */
  dryRun(request: ImportRequest): Promise<ImportReport>;
  /** Makes the run, whole or not at all. `remember` is called in the transaction that makes it. */
  run(request: ImportRequest, remember: (report: ImportReport) => void): Promise<ImportReport>;
  /** Removes what imports left that the end of the process cut off; to be called at start, before anything is served. */
  sweep(): Promise<void>;
}

export interface ImportServiceOptions extends RunServiceOptions {
  store: ObjectStore;
  /** `<TANDEM_HOME>/imports` */
  journal: string;
}

const RECORD_BATCH = 1000;
const ATTEMPT = 1;

/**
 * Runs made from folders of checkpoints. Files, records and the tree come first, under the id of a run that is not there yet; then the run with its
 * attempt, index and event in one transaction. Until that, a failure or a crash takes the pieces away again.
 */
export function createImportService(options: ImportServiceOptions): ImportService {
  const { db, runs, records, checkpoints, runFiles, trees, paths, store, now, log } = options;
  const journal = createImportJournal(options.journal);
  const serial = serialByKey();

  const plan = async ({ path, spec }: ImportRequest) => {
    const root = await refuseIn('path', () => paths.existing(path, 'directory'));
    await refuseOwnTree(root, options);
    const folder = await planImport(root, spec, now());
    const submission = await planSubmission(await checkSubmission(folder.spec, options), options);
    if (submission.occupant !== null) {
      throw new ProblemError('conflict', `${submission.tree} holds another run; choose another training.output_dir.`);
    }
    return { folder, submission };
  };

  /** What of a file was sent and is no object yet: some stores list it with the run, others by its whole key only. */
  const abortUploads = async ({ run, sending }: ImportEntry) => {
    const { transfers } = store;
    if (transfers === null) return;
    const below = `runs/${run}/`;
    for (const asked of [below, ...(sending === undefined ? [] : [sending])]) {
      for await (const { key, uploadId } of transfers.unfinished(asked)) {
        if (key.startsWith(below)) await transfers.abort(key, uploadId);
      }
    }
  };

  const takeAway = async (entry: ImportEntry) => {
    const { run, tree } = entry;
    await abortUploads(entry);
    await checkpoints.remove(run);
    await runFiles.remove(run);
    const directory = store.localDirectory(`runs/${run}/`);
    if (directory !== null) await rm(directory, { recursive: true, force: true });
    await records.remove(run);
    await trees.remove(tree, run);
    await rm(join(options.work, run), { recursive: true, force: true });
    await journal.end(run);
  };

  /** The store, with a note of each object before it is written; they are written one after the other. */
  const notingStore = (entry: ImportEntry): ObjectStore => ({
    ...store,
    put: async (key, body) => {
      if (store.transfers !== null) {
        entry.sending = key;
        await journal.note(entry);
      }
      await store.put(key, body);
    },
  });

  const copyAll = async (folder: ImportPlan, entry: ImportEntry) => {
    const { run } = entry;
    const noting = notingStore(entry);
    const manifests: Manifest[] = [];
    const taken: PlannedCheckpoint[] = [];
    const damaged: { path: string; why: string }[] = [];
    for (const checkpoint of folder.checkpoints) {
      const { hasState } = checkpoint.state;
      // Without its state training starts at step 0 again, so none of the records before it count.
      const record = hasState ? folder.history.lastUpTo(checkpoint.step) : 0;
      const createdAt = new Date(changedAt(folder, checkpoint, now())).toISOString();
      try {
        manifests.push(
          await copyCheckpoint({ folder: folder.folder, checkpoint, store: noting, run, record, createdAt }),
        );
        taken.push(checkpoint);
      } catch (error) {
        if (!(error instanceof LeftOutError)) throw error;
        damaged.push({ path: checkpoint.found.folder || '.', why: error.message });
      }
    }
    if (manifests.length === 0) {
      throw new ProblemError(
        'checkpoint-unusable',
        `${folder.folder.root}: ${damaged[0]?.why}; no checkpoint is left to import.`,
      );
    }
    return { manifests, taken, damaged };
  };

  const make = async (
    { folder, submission, entry }: { folder: ImportPlan; submission: SubmissionPlan; entry: ImportEntry },
    remember: (report: ImportReport) => void,
  ): Promise<ImportReport> => {
    const { id } = submission;
    const { manifests, taken, damaged } = await copyAll(folder, entry);
    const list = folder.history.records;
    for (let at = 0; at < list.length; at += RECORD_BATCH) {
      await records.ingest(id, ATTEMPT, list.slice(at, at + RECORD_BATCH));
    }
    const model = await prepareModelFor(submission, options);
    const message = `Imported from ${paths.shown(folder.folder.root)}.`;
    const report = toReport(
      { ...folder, checkpoints: taken, leftOut: [...damaged, ...folder.leftOut] },
      id,
      paths.shown,
    );
    db.transaction(() => {
      runs.insert({
        ...newRunRow(submission, model, options),
        status: 'paused',
        reason: 'imported',
        message,
        start_from: { kind: 'latest' },
        // Its tree is written like that of a run that has just ended.
        files_due: 1,
      });
      options.attempts.insert({
        run: id,
        number: ATTEMPT,
        opened_at: now(),
        resumed_from: null,
        resumed_run: null,
        resumed_attempt: null,
        resumed_step: null,
      });
      options.attempts.update(id, ATTEMPT, { started_at: now(), ended_at: now(), reason: 'imported', message });
      records.markSuperseded(id, { attempt: ATTEMPT, resumedFromAttempt: null, record: 0, step: null });
      const index = createCheckpointIndex({ db });
      for (const manifest of manifests) index.put(manifest);
      options.events.append({
        run: id,
        name: 'status_changed',
        actor: 'user',
        attempt: ATTEMPT,
        status: 'paused',
        reason: 'imported',
        message: `paused: ${message}`,
        data: {
          path: folder.folder.root,
          checkpoints: manifests.map(({ name }) => name),
          records: folder.history.counts,
        },
      });
      remember(report);
    });
    return report;
  };

  return {
    dryRun: async (request) => toReport((await plan(request)).folder, null, paths.shown),
    run: (request, remember) =>
      // Two at once would hash and copy against each other on one disk.
      serial('import', async () => {
        const planned = await plan(request);
        const { id, tree } = planned.submission;
        const entry: ImportEntry = { run: id, tree };
        await journal.note(entry);
        try {
          await trees.claim(tree, id);
          const report = await make({ ...planned, entry }, remember);
          await journal.end(id);
          await runFiles.settled(id);
          options.changed();
          return report;
        } catch (error) {
          if (runs.get(id) === undefined) {
            await takeAway(entry).catch((cause: unknown) => {
              log.error('The pieces of an import that failed could not be removed; the next start does it.', {
                run: id,
                error: cause,
              });
            });
          }
          throw error;
        }
      }),
    sweep: async () => {
      for (const entry of await journal.list()) {
        if (runs.get(entry.run) !== undefined) await journal.end(entry.run);
        else {
          await takeAway(entry);
          log.info('Removed what an import left that was cut off.', { run: entry.run });
        }
      }
    },
  };
}

/** The tree of a run that is known here is that run. */
async function refuseOwnTree(root: string, { trees, runs }: ImportServiceOptions): Promise<void> {
  const located = await trees.locate(root);
  const run = located && runs.get(located.marker.run);
  if (!run) return;
  throw new ProblemError(
    'conflict',
    `${root} belongs to ${run.id}, which is here already; resume or fork it (POST /runs/${run.id}/resume).`,
  );
}

function changedAt({ folder }: ImportPlan, { found }: PlannedCheckpoint, now: number): number {
  const times = found.files.map(({ from }) => folder.files.get(from)?.changed ?? 0);
  return Math.min(now, Math.max(...times));
}

function toReport(plan: ImportPlan, run: string | null, shown: (path: string) => string): ImportReport {
  const { folder, checkpoints, history, leftOut } = plan;
  const at = (path: string) => shown(path === '' || path === '.' ? folder.root : `${folder.root}/${path}`);
  return {
    run,
    imported: checkpoints.map(({ found, step, size }) => ({
      name: `checkpoint-${step}`,
      from: at(found.folder),
      layout: found.layout,
      size,
      missing: missingParts(found),
    })),
    records: { ...history.counts },
    skipped: leftOut.map(({ path, why }) => ({ from: at(path), why })),
  };
}
