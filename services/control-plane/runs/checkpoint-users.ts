import type { Manifest } from '../../contracts/checkpoint.ts';
import { endedStatuses } from '../../contracts/run.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { AttemptStore } from '../attempts/attempt.store.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { type CheckpointId, isSameCheckpoint } from '../checkpoints/checkpoint-keys.ts';
import { trainedModel } from './model-source.ts';
import { forksOf } from './needed-checkpoints.ts';
import type { RunStore } from './run.store.ts';
import type { RunRow } from './run-row.ts';

export interface CheckpointUserOptions {
  runs: Pick<RunStore, 'get' | 'dependants'>;
  attempts: Pick<AttemptStore, 'open'>;
  checkpoints: Pick<CheckpointService, 'resolve'>;
}

/** Throws conflict, naming run and remedy, while a run that has not ended starts from a checkpoint, resumes from it or trains it on. */
export function requireUnused(manifest: Manifest, options: CheckpointUserOptions): void {
  const user = findUser(manifest, options);
  if (user === null) return;
  const { run, why } = user;
  const what = `a${manifest.attempt}/${manifest.name} of ${manifest.run} is needed`;
  const remedy = `cancel that run first (POST /runs/${run.id}/cancel), or wait until it has saved another checkpoint or ended`;
  throw new ProblemError('conflict', `${what}: ${run.id} is ${run.status} and ${why}; ${remedy}.`);
}

function findUser(manifest: Manifest, options: CheckpointUserOptions): { run: RunRow; why: string } | null {
  const { runs, checkpoints } = options;
  for (const run of family(manifest.run, runs)) {
    const why = whyStarts(run, manifest, options);
    if (why !== null) return { run, why };
  }
  for (const { id, kind } of runs.dependants(manifest.run)) {
    const run = runs.get(id);
    if (kind !== 'model' || run === undefined || endedStatuses.includes(run.status)) continue;
    const model = trainedModel(run.spec.model.name, checkpoints);
    if (model !== undefined && isSameCheckpoint(model, manifest)) {
      return { run, why: `trains it on (model.name ${run.spec.model.name})` };
    }
  }
  return null;
}

/** The run and everything forked from it, as far as it has not ended. */
function family(id: string, runs: CheckpointUserOptions['runs']): RunRow[] {
  return [id, ...forksOf(id, runs)]
    .map(runs.get)
    .filter((run) => run !== undefined)
    .filter(({ status }) => !endedStatuses.includes(status));
}

function whyStarts(run: RunRow, manifest: Manifest, { attempts, checkpoints }: CheckpointUserOptions): string | null {
  const { start_from: from } = run;
  const is = (id: CheckpointId | undefined) => id !== undefined && isSameCheckpoint(id, manifest);
  if ((run.status === 'queued' || run.status === 'paused') && from.kind === 'checkpoint') {
    return is(from) ? 'starts from it' : null;
  }
  const open = attempts.open(run.id);
  if (open?.resumed_run === manifest.run && open.resumed_attempt === manifest.attempt) {
    if (open.resumed_step === manifest.step) return 'has started from it';
  }
  return is(checkpoints.resolve(run.id, 'latest')) ? 'resumes from it, its latest' : null;
}
