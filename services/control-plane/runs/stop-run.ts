import { ProblemError } from '../api/problem-error.ts';
import { changeStatus } from './change-status.ts';
import type { RunRow } from './run-row.ts';
import type { RunServiceOptions } from './run-service-options.ts';

const words = {
  pause: { done: 'paused', asked: 'pause_requested', reason: 'paused', doing: 'Pausing' },
  cancel: { done: 'cancelled', asked: 'cancel_requested', reason: 'cancelled', doing: 'Cancelling' },
} as const;

/**
 * Pauses or cancels: at once what has no program running, else by asking the trainer to save and end within the deadline. A pause under way can
 * become a cancellation, never the other way. Repeating it does nothing. Throws conflict for a run that has ended otherwise.
 */
export function stopRun(run: RunRow, stop: 'pause' | 'cancel', options: RunServiceOptions): void {
  const { now, stopDeadlineMs } = options;
  const word = words[stop];
  if (run.status === word.done || (run.status === 'stopping' && run.stop === stop)) return;
  if (run.status === 'stopping' && run.stop === 'cancel' && stop === 'pause') {
    throw new ProblemError('conflict', `${run.id} is being cancelled; it can be resumed once that is done.`);
  }

  if (run.status === 'queued' || (run.status === 'paused' && stop === 'cancel')) {
    changeStatus(options, {
      run: run.id,
      from: ['queued', 'paused'],
      to: {
        status: word.done,
        reason: word.reason,
        message: `${stop === 'pause' ? 'Paused' : 'Cancelled'} before it was started${run.started_at === null ? '' : ' again'}.`,
        ended_at: stop === 'cancel' ? now() : null,
        restart_at: null,
      },
      actor: 'user',
    });
    return;
  }
  if (run.status === 'starting' || run.status === 'running' || run.status === 'stopping') {
    const { stopping } = run.spec.recovery.deadlines;
    const deadline = run.stop_deadline ?? now() + (stopping === null ? stopDeadlineMs : stopping * 1000);
    changeStatus(options, {
      run: run.id,
      from: ['starting', 'running', 'stopping'],
      to: {
        status: 'stopping',
        reason: word.asked,
        message: `${word.doing}: a checkpoint is saved first, until ${new Date(deadline).toISOString()} at the latest.`,
        stop,
        stop_deadline: deadline,
      },
      actor: 'user',
    });
    return;
  }
  throw new ProblemError('conflict', `${run.id} is ${run.status}; there is nothing to ${stop}.`);
}
