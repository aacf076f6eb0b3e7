import { availableParallelism } from 'node:os';
import { ModelError } from '../../contracts/model-error.ts';

/** More than these share memory that feeds fewer: unless they are asked for. */
const MOST_BY_ITSELF = 16;
const MOST = 256;

/**
 * How many threads compute on cores: what TANDEM_THREADS says, or one for each core.
 * @throws ModelError `engine_unavailable` for what is no such number
 */
export function threadCount(wanted: string | undefined, cores = availableParallelism()): number {
  if (wanted === undefined || wanted === '') return Math.min(cores, MOST_BY_ITSELF);
  const count = /^\d{1,4}$/.test(wanted) ? Number(wanted) : 0;
  if (count >= 1 && count <= MOST) return count;
  throw new ModelError(
    'engine_unavailable',
    `TANDEM_THREADS=${wanted}: set it to a number of threads from 1 to ${MOST}, or leave it out for one for each core`,
  );
}
