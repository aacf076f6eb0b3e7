import { ModelError } from '../../contracts/model-error.ts';

/**
 * Outside its array a view reads undefined, which would end as NaN far from here.
 * @throws ModelError `invalid_input` when an index is not one of `count`
 */
export function checkIndices(indices: Int32Array, count: number, what: string): void {
  const stray = indices.find((index) => index < 0 || index >= count);
  if (stray === undefined) return;
  throw new ModelError('invalid_input', `${what} ${stray} is outside the ${count} there are`);
}
