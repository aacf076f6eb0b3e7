import { ModelError } from '../../contracts/model-error.ts';
import { CheckpointError } from '../checkpoint/checkpoint-error.ts';
import { TrainerError } from '../failure.ts';

/** Files of another user's, on a failing disk, or that are no files. A full disk or a lack of handles is nobody's fault in the checkpoint. */
const UNREADABLE = ['EACCES', 'EPERM', 'EIO', 'EISDIR', 'ELOOP'];

/** Whether an error says that the checkpoint is at fault, so that another one may do. */
export function isCheckpointsFault(error: unknown): boolean {
  return (
    error instanceof CheckpointError ||
    error instanceof ModelError ||
    (error instanceof TrainerError && error.reason === 'invalid_checkpoint') ||
    (error instanceof Error && UNREADABLE.includes((error as NodeJS.ErrnoException).code ?? ''))
  );
}
