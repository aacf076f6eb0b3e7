import { basename } from 'node:path';
import { ProblemError } from '../api/problem-error.ts';
import { checkWeights } from './check-weights.ts';
import { collectSpec } from './collect-spec.ts';
import { asListed, type FoundCheckpoint, findCheckpoints } from './find-checkpoints.ts';
import { historyRecords, type ImportedRecords } from './history-records.ts';
import { type ImportFolder, type LeftOut, LeftOutError, openImportFolder } from './import-folder.ts';
import { type PlannedCheckpoint, planCheckpoints, type ReadCheckpoint } from './plan-checkpoints.ts';
import { type FolderHistory, readHistory } from './read-history.ts';
import { objectOf, readState } from './read-state.ts';

/** What an import will make; nothing is made yet. */
export interface ImportPlan {
  readonly folder: ImportFolder;
  /** Oldest first. */
  readonly checkpoints: readonly PlannedCheckpoint[];
  readonly history: ImportedRecords;
  readonly leftOut: readonly LeftOut[];
  /** To be checked as any submitted spec. */
  readonly spec: Record<string, unknown>;
}

/**
 * Looks at a folder and decides what of it becomes a run.
 * @throws ProblemError checkpoint-unusable when it holds no checkpoint, with what is wrong with those that look like one
 */
export async function planImport(root: string, request: Record<string, unknown>, now: number): Promise<ImportPlan> {
  const folder = await openImportFolder(root);
  const read: ReadCheckpoint[] = [];
  const damaged: LeftOut[] = [];
  const present = new Set(folder.files.keys());
  for (const each of findCheckpoints(basename(root), present)) {
    try {
      const state = await readState(folder, each);
      const found = state.manifest === null ? each : asListed(each, state.manifest, present);
      await checkWeights(folder, found);
      read.push({ found, state, size: sizeOf(folder, found) });
    } catch (error) {
      if (!(error instanceof LeftOutError)) throw error;
      damaged.push({ path: each.folder === '' ? '.' : each.folder, why: error.message });
    }
  }
  const history = await readHistory(folder);
  const { planned, leftOut } = planCheckpoints(read, knownSteps(history));
  const newest = planned.at(-1);
  if (newest === undefined) throw nothingThere(root, [...damaged, ...folder.refused]);
  return {
    folder,
    checkpoints: planned,
    history: recordsOf({ history, newest, now }),
    leftOut: [
      ...damaged,
      ...leftOut,
      ...planned.flatMap(({ found: { leftOut: each } }) => each),
      ...history.leftOut,
      ...folder.refused,
    ],
    spec: collectSpec({
      request,
      newest: newest.state,
      logConfig: history.config,
      loggingSteps: loggingSteps(history),
    }),
  };
}

function recordsOf({
  history,
  newest,
  now,
}: {
  history: FolderHistory;
  newest: PlannedCheckpoint;
  now: number;
}): ImportedRecords {
  const { step, state } = newest;
  const logHistory = Array.isArray(state.trainer['log_history']) ? state.trainer['log_history'].map(objectOf) : [];
  const steps = [state.trainer['max_steps'], history.config['max_steps'], step].find(
    (each) => typeof each === 'number' && each >= step,
  );
  return historyRecords({
    history,
    logHistory,
    time: new Date(Math.min(history.changed ?? now, now)).toISOString(),
    progress: {
      phase: 'finishing',
      step,
      total_steps: steps as number,
      epoch: state.epoch,
      elapsed_seconds: state.elapsedSeconds,
      eta_seconds: null,
    },
  });
}

function knownSteps({ trainHistory, valHistory, bestStep }: FolderHistory) {
  const rows = [...trainHistory, ...valHistory].flatMap(({ step, samples }) =>
    typeof step === 'number' && Number.isSafeInteger(step) && step >= 0
      ? [{ step, samples: typeof samples === 'number' ? samples : null }]
      : [],
  );
  rows.sort((a, b) => a.step - b.step);
  const samples = rows.filter((row): row is { step: number; samples: number } => row.samples !== null);
  return { samples, best: bestStep, last: rows.at(-1)?.step ?? null };
}

/** The largest interval that every row but the last is a multiple of, so that the new run's log shows the same rows. */
function loggingSteps({ trainHistory }: FolderHistory): number | null {
  const steps = trainHistory
    .map(({ step }) => step)
    .filter((step): step is number => Number.isSafeInteger(step) && (step as number) > 0);
  const common = (steps.length > 1 ? steps.slice(0, -1) : steps).reduce(greatestCommonDivisor, 0);
  return common > 0 ? common : null;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function sizeOf(folder: ImportFolder, { files }: FoundCheckpoint): number {
  return files.reduce((sum, { from }) => sum + (folder.files.get(from)?.size ?? 0), 0);
}

function nothingThere(root: string, why: readonly LeftOut[]): ProblemError {
  const [first] = why;
  const detail =
    first === undefined ? '' : ` ${first.path}: ${first.why}${why.length > 1 ? ` (and ${why.length - 1} more)` : ''}.`;
  return new ProblemError(
    'checkpoint-unusable',
    `${root} holds no checkpoint that can be imported: neither it nor a checkpoint-<n>, best_model or final in it has adapter_model.safetensors, ` +
      `model.safetensors or model.pt, there or in model/.${detail}`,
  );
}
