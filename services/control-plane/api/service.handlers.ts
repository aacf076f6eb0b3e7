import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

export interface ServiceState {
  version: string;
  /** How many running programs were taken over at start; null until that is done. */
  adopted: () => number | null;
}

/** Health and readiness. */
export function createServiceHandlers({
  version,
  adopted,
}: ServiceState): Pick<Handlers<Operations>, 'getHealth' | 'getReadiness'> {
  return {
    getHealth: async () => ({ status: 200, body: { status: 'ok', version } }),
    getReadiness: async () => {
      const taken = adopted();
      if (taken !== null) return { status: 200, body: { status: 'ready', adopted: taken } };
      throw new ProblemError(
        'unavailable',
        'Running programs are still being taken over after a start; try again in a few seconds.',
      );
    },
  };
}
