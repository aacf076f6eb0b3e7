import type { Reason } from '../../contracts/reason.ts';
import { ModelFetchError, type ModelFetchErrorKind } from '../models/model-fetch-error.ts';
import type { FetchNews } from '../models/models.ts';
import { changeStatus } from '../runs/change-status.ts';
import type { ExecuteOptions } from './execute-options.ts';
import type { StepArguments } from './step.ts';

const reasonOf: Readonly<Record<ModelFetchErrorKind, Reason>> = {
  gated: 'invalid_model',
  missing: 'invalid_model',
  refused: 'invalid_model',
  damaged: 'model_unavailable',
  unreachable: 'model_unavailable',
  disk_full: 'disk_full',
};

/**
 * Gets a model, once for all runs in the queue that wait for it, and lets them stand in line. When it cannot be had they fail and say why; they hold no GPU
 * meanwhile. Cut off, it goes on with the files that are there.
 */
export async function fetchDueModel(
  options: ExecuteOptions,
  { directory, origin }: StepArguments['fetchModel'],
  signal: AbortSignal,
): Promise<void> {
  const { db, runs, events, models, now } = options;
  const waiting = () => runs.modelsDue().filter((due) => due.directory === directory);
  const tell = ({ name, message, data }: FetchNews) =>
    db.transaction(() => {
      const reason = name === 'warning' ? { reason: 'model_unavailable' as const } : {};
      for (const { run } of waiting()) events.append({ run, name, actor: 'control_plane', message, data, ...reason });
    });
  try {
    await models.fetch(directory, origin, { signal, tell });
  } catch (error) {
    if (!(error instanceof ModelFetchError)) throw error;
    for (const { run } of waiting()) {
      const to = { status: 'failed', reason: reasonOf[error.kind], message: error.message, ended_at: now() } as const;
      changeStatus(options, { run, from: ['queued'], to, actor: 'control_plane' });
    }
    return;
  }
  for (const { run } of waiting()) runs.update(run, { model_due: 0 }, ['queued']);
}
