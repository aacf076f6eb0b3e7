import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from '../api/handlers.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { RunStore } from '../runs/run.store.ts';
import { sinkTarget } from '../runs/sink-target.ts';
import type { Trackers } from './trackers.ts';

/** How far trackers are with a run. */
export function createTrackerHandlers({
  runs,
  trackers,
}: {
  runs: Pick<RunStore, 'get'>;
  trackers: Pick<Trackers, 'status'>;
}): Pick<Handlers<Operations>, 'listTrackers'> {
  return {
    listTrackers: async ({ params: { id } }) => {
      const run = runs.get(id);
      if (run === undefined) {
        throw new ProblemError('not-found', `There is no run ${id}; GET /runs lists those there are.`);
      }
      return { status: 200, body: { trackers: await trackers.status(sinkTarget(run, runs)) } };
    },
  };
}
