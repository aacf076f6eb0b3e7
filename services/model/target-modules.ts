import { ModelError } from '../contracts/model-error.ts';
import { PROJECTIONS, type Projection } from './parameters.ts';

/** `all-linear`, or projection names. @throws ModelError `invalid_adapter` for a name that is none. */
export function resolveTargetModules(modules: 'all-linear' | readonly string[]): Projection[] {
  if (modules === 'all-linear') return [...PROJECTIONS];
  const unknown = modules.find((name) => !PROJECTIONS.some((projection) => projection === name));
  if (unknown !== undefined || modules.length === 0) {
    throw new ModelError(
      'invalid_adapter',
      `target_modules has ${unknown ?? 'nothing'}; it can be "all-linear" or a choice of ${PROJECTIONS.join(', ')}`,
    );
  }
  return PROJECTIONS.filter((projection) => modules.includes(projection));
}
