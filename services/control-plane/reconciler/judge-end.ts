import {
  exitReasons,
  groupOf,
  type Reason,
  reasonGroups,
  reasons,
  remedies,
  remedyOf,
} from '../../contracts/reason.ts';
import type { RunStatus } from '../../contracts/run.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { backoffMs } from '../../platform/retry.ts';
import type { Outcome } from '../records/record-types.ts';
import type { ObservedRole } from '../runtimes/runtime.ts';

const MAX_RESTART_BACKOFF_MS = 600_000;
/** HUP, INT, KILL, TERM: somebody ended it, it did not end itself. */
const killSignals = [1, 2, 9, 15];

interface End {
  reason: Reason;
  message: string;
}

/** What is known when a trainer has ended. */
export interface EndFacts {
  /** How its program ended; null when it was never started. */
  trainer: ObservedRole | null;
  /** What it said itself, in its last records. */
  outcome: Outcome | null;
  /** ` It printed: …`, or empty when it printed nothing. */
  printed: string;
  /** What its output says about its end, when that is of a known kind. */
  known: End | null;
  /** Whether all that is to come out of it is here: a training's final checkpoint, an evaluation's records. */
  nothingMissing: boolean;
  /** Whether it was killed by us, after TERM and the grace. */
  killed: boolean;
  /** Step of the newest checkpoint on the lineage, null when there is none. */
  latestStep: number | null;
  stop: 'pause' | 'cancel' | null;
  /** Why the control plane gave the attempt up, when it did. */
  givenUp: { reason: Reason; message: string } | null;
  recovery: Pick<RunSpec['recovery'], 'max_restarts' | 'max_restarts_on_errors' | 'backoff_seconds'>;
  /** Restarts after failures of the machine since a checkpoint has moved the run forward. */
  restarts: number;
  errorRestarts: number;
}

/** What becomes of the attempt and its run. `message` holds the remedy. */
export interface Verdict {
  attempt: End;
  run: { status: RunStatus; reason: Reason; message: string };
  /** Set when the run goes back to the queue: which budget pays, how much of it is used then, and how long it waits. */
  restart: { budget: 'restarts' | 'error_restarts'; count: number; delayMs: number } | null;
}

/** Decides how an attempt ended and what follows. What the trainer said counts before its exit code, both before any guess. */
export function judgeEnd(facts: EndFacts): Verdict {
  const { outcome, trainer, stop } = facts;
  if (outcome?.name === 'finished' && isDone(outcome.reason) && (trainer?.exitCode === 0 || facts.nothingMissing)) {
    const end = { reason: outcome.reason, message: outcome.message };
    return { attempt: end, run: { status: 'succeeded', ...end }, restart: null };
  }
  const end = explain(facts);
  if (stop === 'cancel') return stopped('cancelled', 'cancelled', 'Cancelled', end, facts);
  const endedByItself = outcome?.name === 'failed' && facts.givenUp === null;
  if (stop === 'pause' && !endedByItself) return stopped('paused', 'paused', 'Paused', end, facts);
  if (end.reason === 'preempted') return preempted(end, facts);
  return restartOrFail(end, facts);
}

function explain({ trainer, outcome, printed, known, givenUp, stop, killed, latestStep }: EndFacts): End {
  // What it fails by itself it would fail again.
  if (givenUp !== null && !(givenUp.reason === 'preempted' && outcome?.name === 'failed')) return givenUp;
  if (outcome?.name === 'failed') {
    const reason = isReason(outcome.reason) ? outcome.reason : 'trainer_crashed';
    return { reason, message: sentences(outcome.message, outcome.remedy ?? remedyOf(reason)) };
  }
  if (trainer === null) return { reason: 'cancelled', message: 'It was stopped before its trainer had started.' };
  if (stop !== null && killed) {
    const kept = latestStep === null ? 'nothing was saved' : `its newest checkpoint is checkpoint-${latestStep}`;
    return {
      reason: 'stop_timeout',
      message: `The trainer did not end in time and was killed; ${kept}. ${remedies.stop_timeout}`,
    };
  }
  return explainExit(trainer, printed, known);
}

function explainExit({ rebooted, exitCode: code, outOfMemory }: ObservedRole, printed: string, known: End | null): End {
  if (rebooted) return failure('host_rebooted', 'The machine was started anew while it trained.');
  if (code === null) return failure('trainer_lost', 'The trainer vanished and left no exit code.');
  if (outOfMemory) {
    return failure('oom_host', 'The kernel killed the trainer: the machine or its cgroup had no memory left.');
  }
  if (code === 0) {
    return failure('trainer_killed', 'The trainer ended early, as on a SIGTERM that Tandem did not send.');
  }
  if (killSignals.includes(code - 128)) {
    return failure('trainer_killed', `The trainer was killed by signal ${code - 128}.`);
  }
  const how = code > 128 ? `was ended by signal ${code - 128}` : `ended with exit code ${code}`;
  const message = `The trainer ${how}.${printed}`;
  const said = exitReasons[code] ?? 'trainer_crashed';
  if (said !== 'trainer_crashed' || known === null) return failure(said, message);
  return { reason: known.reason, message: sentences(message, known.message) };
}

function failure(reason: Reason, message: string): End {
  return { reason, message: sentences(message, remedyOf(reason)) };
}

function stopped(
  status: RunStatus,
  reason: Reason,
  word: string,
  end: End,
  { trainer, outcome, latestStep }: EndFacts,
): Verdict {
  const cleanly = trainer === null || (trainer.exitCode === 0 && outcome?.name !== 'failed');
  const where =
    latestStep === null
      ? 'no checkpoint was saved yet'
      : `checkpoint-${latestStep} is where a resume starts by default`;
  const message = cleanly ? `${word}; ${where}.` : sentences(`${word}; ${where}.`, end.message);
  const attempt = cleanly ? { reason, message } : end;
  return { attempt, run: { status, reason, message }, restart: null };
}

/** Back to its place in the queue, on nobody's account. */
function preempted(end: End, { killed, latestStep }: EndFacts): Verdict {
  const late = killed ? 'It had not saved in time and was killed.' : '';
  const from = latestStep === null ? 'It starts from the beginning' : `It goes on from checkpoint-${latestStep}`;
  const message = sentences(end.message, late, `${from} when its turn comes.`);
  return { attempt: { ...end, message }, run: { status: 'queued', reason: 'preempted', message }, restart: null };
}

function restartOrFail(end: End, { recovery, restarts, errorRestarts }: EndFacts): Verdict {
  const infrastructure = groupOf(end.reason) === 'infrastructure' || groupOf(end.reason) === 'user';
  const used = infrastructure ? restarts : errorRestarts;
  const allowed = infrastructure ? recovery.max_restarts : recovery.max_restarts_on_errors;
  if (used >= allowed) {
    const budget = infrastructure ? 'recovery.max_restarts' : 'recovery.max_restarts_on_errors';
    const tried =
      used === 0
        ? ''
        : `All ${allowed} restarts (${budget}) ${infrastructure ? 'since its last new checkpoint ' : ''}are used up; resume it once the cause is gone.`;
    const message = sentences(end.message, tried);
    return { attempt: end, run: { status: 'failed', reason: end.reason, message }, restart: null };
  }
  const delayMs = backoffMs({
    failures: used + 1,
    baseMs: recovery.backoff_seconds * 1000,
    maxMs: MAX_RESTART_BACKOFF_MS,
  });
  const message = sentences(end.message, `Restart ${used + 1} of ${allowed} in ${delayMs / 1000} s.`);
  return {
    attempt: end,
    run: { status: 'queued', reason: 'waiting_to_restart', message },
    restart: { budget: infrastructure ? 'restarts' : 'error_restarts', count: used + 1, delayMs },
  };
}

function isDone(reason: string | null): reason is Reason {
  return (reasonGroups.done as readonly (string | null)[]).includes(reason);
}

function isReason(reason: string | null): reason is Reason {
  return (reasons as readonly (string | null)[]).includes(reason);
}

function sentences(...parts: (string | null)[]): string {
  return parts
    .filter((part): part is string => part !== null && part !== '')
    .map((part, at, all) => (at === all.length - 1 || /[.!?…:]$/.test(part) ? part : `${part}.`))
    .join(' ');
}
