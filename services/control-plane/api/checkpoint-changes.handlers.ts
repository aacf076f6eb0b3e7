import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

type Missing = Pick<
  Handlers<Operations>,
  'deleteCheckpoint' | 'pinCheckpoint' | 'unpinCheckpoint' | 'pruneCheckpoints' | 'getCheckpointArchive'
>;

const missing = async (): Promise<never> => {
  throw new ProblemError('unavailable', 'This build does not have it yet.');
};

/** PLACEHOLDER: to be replaced handler by handler; the file must be gone before the branch is merged. */
export const missingHandlers: Missing = {
  deleteCheckpoint: missing,
  pinCheckpoint: missing,
  unpinCheckpoint: missing,
  pruneCheckpoints: missing,
  getCheckpointArchive: missing,
};
