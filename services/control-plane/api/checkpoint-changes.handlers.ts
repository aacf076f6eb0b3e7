import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

/** PLACEHOLDER: to be replaced by the import; the file must be gone before the branch is merged. */
export const missingHandlers: Pick<Handlers<Operations>, 'importCheckpoints'> = {
  importCheckpoints: async (): Promise<never> => {
    throw new ProblemError('unavailable', 'This build does not have it yet.');
  },
};
