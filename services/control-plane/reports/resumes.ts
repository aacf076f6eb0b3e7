import type { Attempt } from '../../contracts/run.ts';
import type { Resume } from './run-plots.ts';

/**
 * Where the run went on from a checkpoint, oldest first: along the chain of attempts that its history is made of. An attempt that was given up for an
 * earlier checkpoint is not on it, and neither is where it had gone on from.
 */
export function resumesOf(
  run: string,
  attempts: readonly Pick<Attempt, 'number' | 'resumed_from' | 'resumed_step'>[],
): Resume[] {
  const byNumber = new Map(attempts.map((attempt) => [attempt.number, attempt]));
  const resumes: Resume[] = [];
  for (let at = attempts.at(-1); at !== undefined && at.resumed_step !== null; ) {
    resumes.unshift({ attempt: at.number, step: at.resumed_step });
    const parent = new RegExp(`^${run}/a(\\d+)/`).exec(at.resumed_from ?? '')?.[1];
    const next = parent === undefined ? undefined : byNumber.get(Number(parent));
    at = next !== undefined && next.number < at.number ? next : undefined;
  }
  return resumes;
}
