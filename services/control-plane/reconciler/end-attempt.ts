import type { Manifest } from '../../contracts/checkpoint.ts';
import { activeStatuses, endedStatuses } from '../../contracts/run.ts';
import type { AttemptRow } from '../attempts/attempt.store.ts';
import { changeStatus } from '../runs/change-status.ts';
import { SPOOL_FILE } from '../runtimes/role-specs.ts';
import type { ExecuteOptions } from './execute-options.ts';
import { explainOutput } from './explain-output.ts';
import { judgeEnd } from './judge-end.ts';
import { outputTail, quoteOutput } from './quote-output.ts';
import type { StepArguments } from './step.ts';

/** Closes an attempt whose trainer has ended: takes over what it has left, decides what that means, and writes it down in one transaction. */
export async function endAttempt(options: ExecuteOptions, step: StepArguments['endAttempt']): Promise<void> {
  const { db, runs, attempts, leases, events, records, checkpoints, runtime, now } = options;
  const { run: id, attempt: number, trainer } = step;
  const spool = trainer && (await runtime.fetchFile(trainer.identity, SPOOL_FILE));
  if (spool !== null) await records.drain(id, number, spool);
  await checkpoints.rebuild(id);
  const output = trainer === null ? '' : await outputTail(trainer.identity, options);
  const known = explainOutput(output);

  db.transaction(() => {
    const run = runs.get(id);
    const attempt = attempts.get(id, number);
    if (run === undefined || attempt === undefined || attempt.ended_at !== null) return;
    const trainerRow = attempts.roles(id, number).find(({ role }) => role === 'trainer');
    const final = checkpoints.resolve(id, 'final');
    const latest = checkpoints.resolve(id, 'latest');
    const verdict = judgeEnd({
      trainer,
      outcome: records.outcome(id, number),
      printed: quoteOutput(output),
      known,
      nothingMissing: run.spec.task === 'evaluate' || (final?.run === id && final.attempt === number),
      killed: trainerRow?.kill_at != null,
      latestStep: latest?.step ?? null,
      stop: run.stop,
      givenUp:
        attempt.ending_reason === null
          ? null
          : { reason: attempt.ending_reason, message: attempt.ending_message ?? '' },
      recovery: run.spec.recovery,
      restarts: movedForward(attempt, latest) ? 0 : run.restarts,
      errorRestarts: run.error_restarts,
    });

    attempts.update(id, number, { ended_at: now(), ...verdict.attempt });
    // Of an attempt that ended for another reason it was no more than a word.
    if (known?.gpuLine != null && verdict.attempt.reason === known.reason) {
      leases.suspect({ run: id, attempt: number }, 'trainer', known.gpuLine);
    }
    events.append({
      run: id,
      name: 'attempt_ended',
      actor: 'control_plane',
      attempt: number,
      reason: verdict.attempt.reason,
      message: verdict.attempt.message,
    });
    const restart = verdict.restart;
    changeStatus(options, {
      run: id,
      from: activeStatuses,
      to: {
        ...verdict.run,
        stop: null,
        stop_deadline: null,
        // What it started from stays its start until it has a checkpoint of its own.
        ...(latest?.run === id ? { start_from: { kind: 'latest' } } : {}),
        ...(restart === null
          ? { ended_at: endedStatuses.includes(verdict.run.status) ? now() : null }
          : { [restart.budget]: restart.count, restart_at: now() + restart.delayMs }),
      },
      actor: 'control_plane',
      attempt: number,
    });
  });

  void options.prune(id);
}

/** Whether it has saved a checkpoint beyond the one it started from: then what went wrong before it is overcome. */
function movedForward(attempt: AttemptRow, latest: Manifest | undefined): boolean {
  const own = latest?.run === attempt.run && latest.attempt === attempt.number;
  return own && latest.step > (attempt.resumed_step ?? 0);
}
