import { endedStatuses } from '../../contracts/run.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { CheckpointId } from '../checkpoints/checkpoint-keys.ts';
import type { RunStore } from './run.store.ts';

export interface NeededCheckpointOptions {
  runs: Pick<RunStore, 'startsFrom' | 'dependants'>;
  checkpoints: Pick<CheckpointService, 'resolve'>;
}

/**
 * Checkpoints of a run that runs need whatever its own rules say: what runs start or resume from, and what is the latest or the best of a fork that has
 * not saved a newer or a better one of its own. An ended fork counts too: it can be resumed, and its best is what came out of it.
 */
export function neededCheckpoints(id: string, { runs, checkpoints }: NeededCheckpointOptions): CheckpointId[] {
  const named = [...forksOf(id, runs)].flatMap((fork) =>
    ['latest', 'best'].map((name) => checkpoints.resolve(fork, name)),
  );
  const inherited = named.filter((manifest) => manifest !== undefined).filter(({ run }) => run === id);
  return [...runs.startsFrom(id), ...inherited];
}

/** Everything forked from a run, forks of forks too, and the evaluations of it that have not ended. */
export function* forksOf(id: string, runs: Pick<RunStore, 'dependants'>): Generator<string> {
  for (const { id: fork, kind, status } of runs.dependants(id)) {
    if (kind === 'model' || (kind === 'evaluation' && endedStatuses.includes(status))) continue;
    yield fork;
    yield* forksOf(fork, runs);
  }
}
