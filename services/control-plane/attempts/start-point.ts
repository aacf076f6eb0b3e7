import type { ResumeCandidate } from '../../contracts/agent-operations.ts';
import { foreignCandidate } from '../checkpoints/candidates.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { ResumePoint } from '../records/record-types.ts';
import type { RunRow } from '../runs/run-row.ts';
import type { AttemptRow, ResumedFrom } from './attempt.store.ts';

type Checkpoints = Pick<CheckpointService, 'candidates'>;

/**
 * The checkpoints the next attempt of a run may start from, best choice first; none means from the beginning.
 * Throws checkpoint-unusable when the one that was asked for is gone.
 */
export function startCandidates(run: Pick<RunRow, 'id' | 'start_from'>, checkpoints: Checkpoints): ResumeCandidate[] {
  const { start_from: from } = run;
  switch (from.kind) {
    case 'beginning':
      return [];
    case 'latest':
      return checkpoints.candidates(run.id, 'latest');
    case 'checkpoint':
      return checkpoints.candidates(from.run, `a${from.attempt}/checkpoint-${from.step}`);
    case 'directory':
      return [foreignCandidate(from.path)];
  }
}

/** The same for an attempt that is under way: what it was given when it was opened. */
export function attemptCandidates(attempt: AttemptRow, checkpoints: Checkpoints): ResumeCandidate[] {
  if (attempt.resumed_from === null) return [];
  if (attempt.resumed_run === null) return [foreignCandidate(attempt.resumed_from)];
  return checkpoints.candidates(attempt.resumed_run, `a${attempt.resumed_attempt}/checkpoint-${attempt.resumed_step}`);
}

/** What is kept of the candidate an attempt starts from; undefined: the beginning. */
export function resumedFrom(candidate: ResumeCandidate | undefined): ResumedFrom {
  const manifest = candidate?.manifest ?? null;
  return {
    resumed_from: candidate?.label ?? null,
    resumed_run: manifest?.run ?? null,
    resumed_attempt: manifest?.attempt ?? null,
    resumed_step: manifest?.step ?? null,
  };
}

/** How the records of the attempt follow on those of earlier ones of the same run. */
export function resumePoint(run: string, attempt: number, candidate: ResumeCandidate | undefined): ResumePoint {
  const manifest = candidate?.manifest ?? null;
  if (manifest === null || manifest.run !== run) {
    return { attempt, resumedFromAttempt: null, record: 0, step: manifest?.step ?? null };
  }
  return { attempt, resumedFromAttempt: manifest.attempt, record: manifest.record, step: manifest.step };
}
