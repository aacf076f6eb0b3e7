import { exitReasons, groupOf, type Reason, remedies } from '../../contracts/reason.ts';
import { backoffMs } from '../../platform/retry.ts';
import { hasServer } from '../runs/inference-of.ts';
import type { ObservedRole, RoleIdentity } from '../runtimes/runtime.ts';
import type { ActiveRun, Leftover, Limits, Observation, RoleView } from './observation.ts';
import { planQueue } from './plan-queue.ts';
import type { Step } from './step.ts';
import { findHang, isUnresponsive } from './watchdog.ts';

const SOON_MS = 100;

/**
 * The next steps towards what is wanted, from what is there. It only ever gives the next ones: after they were taken the world is
 * observed again, so a step that was taken and forgotten is not taken twice.
 */
export function plan(observation: Observation, limits: Limits): Step[] {
  return [
    ...observation.leftovers.flatMap((leftover) => clearAway(leftover, observation.now, limits)),
    ...observation.active.flatMap((active) => advance(active, observation, limits)),
    ...observation.filesDue.map((run): Step => ({ step: 'finishFiles', run })),
    ...planFetches(observation),
    ...planQueue(observation.queue),
  ];
}

/** Runs that wait for the same model wait for one fetch. */
function planFetches({ modelsDue }: Observation): Step[] {
  const byDirectory = new Map(modelsDue.toReversed().map((due) => [due.directory, due]));
  return [...byDirectory.values()].toReversed().map((due): Step => ({ step: 'fetchModel', ...due }));
}

/** Milliseconds until the next look: soon while a program is expected to come or to go, else the resync alone. */
export function restMs({ active, leftovers }: Observation, resyncMs: number): number {
  const soon = active.some(({ run, finishing }) => finishing || run.status !== 'running') || leftovers.length > 0;
  return soon ? Math.min(resyncMs, SOON_MS) : resyncMs;
}

/** Programs of an attempt that is over are ended, then removed. */
function clearAway({ run, attempt, shares, roles }: Leftover, now: number, limits: Limits): Step[] {
  const live = roles.filter(isLive);
  if (live.length > 0) {
    return live.flatMap((role) => end(role, now, limits.inferenceGraceMs, 'its attempt is over'));
  }
  const notes = roles.flatMap(noteChange);
  if (notes.length > 0) return notes;
  const identities = roles.flatMap(({ observed }) => (observed ? [observed.identity] : []));
  return identities.length > 0 || shares ? [{ step: 'cleanUp', run, attempt, identities }] : [];
}

function advance(active: ActiveRun, { now, since }: Observation, limits: Limits): Step[] {
  const roles = [...active.inference, ...(active.trainer ? [active.trainer] : [])];
  const notes = roles.flatMap(noteChange);
  // What is noted decides the rest, so it is noted first.
  if (notes.length > 0) return notes;
  if (active.trainer !== null && wasSeen(active.trainer)) {
    const trainer = active.trainer.observed ?? vanished(active, active.trainer);
    return hasEnded(trainer)
      ? [{ step: 'endAttempt', run: active.run.id, attempt: active.attempt.number, trainer }]
      : watchTraining(active, trainer, now, since, limits);
  }
  return getReady(active, now, since, limits);
}

/** The trainer is not there yet. */
function getReady(active: ActiveRun, now: number, since: number, limits: Limits): Step[] {
  const { run, attempt } = active;
  if (run.stop !== null || attempt.ending_reason !== null) {
    return [{ step: 'endAttempt', run: run.id, attempt: attempt.number, trainer: null }];
  }
  const openMs = now - Math.max(since, attempt.opened_at);
  if (run.status === 'starting' && openMs > active.readyMs) {
    const message = `It was not ready ${seconds(active.readyMs)} after it had got its place: ${run.message} ${remedies.ready_timeout}`;
    return [giveUp(active, 'ready_timeout', message, now)];
  }
  if (hasServer(run.spec) && !isServing(active)) return tendInference(active, now, since, limits);
  return [{ step: 'startRole', identity: { run: run.id, attempt: attempt.number, role: 'trainer', start: 1 } }];
}

function watchTraining(active: ActiveRun, trainer: ObservedRole, now: number, since: number, limits: Limits): Step[] {
  const { run, attempt } = active;
  const steps: Step[] = [];
  if (active.reported && run.status === 'starting') {
    steps.push({ step: 'noteTraining', run: run.id, attempt: attempt.number });
  }
  const deadline = stopDeadline(active);
  if (deadline !== null) {
    const why = run.stop === null ? 'the attempt cannot go on' : `asked to ${run.stop}`;
    if (now < deadline || active.trainer === null) return steps;
    if (isUnresponsive(attempt.ending_reason)) return [...steps, ...kill(active.trainer, 'it shows no progress')];
    return [...steps, ...end(active.trainer, now, limits.trainerGraceMs, `${why}, deadline passed`)];
  }
  const startedAt = Math.max(since, active.trainer?.row?.started_at ?? now);
  const startMs = milliseconds(run.spec.recovery.deadlines.starting_trainer) ?? limits.startTimeoutMs;
  if (!active.reported && run.status === 'starting' && now - startedAt > startMs) {
    const message = `The trainer (pid ${trainer.pid}) has not reported within ${seconds(startMs)}. ${remedies.start_timeout}`;
    return [...steps, giveUp(active, 'start_timeout', message, now)];
  }
  const server = active.inference.at(-1);
  if (server !== undefined && active.deafMs > run.spec.recovery.deadlines.inference_answer * 1000) {
    return [...steps, ...kill(server, `it has not answered its health check for ${seconds(active.deafMs)}`)];
  }
  const hang = active.deafMs === 0 && active.pulse ? findHang(active.pulse, active.silentMs, run.spec.recovery) : null;
  if (hang !== null) return [...steps, giveUp(active, hang.reason, hang.message, now)];
  if (hasServer(run.spec) && !isServing(active)) steps.push(...tendInference(active, now, since, limits));
  return steps;
}

/** Starts the inference server, waits for it, and starts it again when it has ended, as often as the limits allow. */
function tendInference(active: ActiveRun, now: number, since: number, limits: Limits): Step[] {
  const { run, attempt, inference } = active;
  const identity = (start: number): RoleIdentity => ({
    run: run.id,
    attempt: attempt.number,
    role: 'inference',
    start,
  });
  const newest = inference.at(-1);
  if (newest === undefined) return [{ step: 'startRole', identity: identity(1) }];

  const start = newest.row?.start ?? newest.observed?.identity.start ?? 1;
  if (!wasSeen(newest)) {
    const waitedMs = now - Math.max(since, newest.row?.started_at ?? now);
    if (waitedMs <= active.readyMs) return [{ step: 'startRole', identity: identity(start) }];
    const message = `The inference server could not be started for ${seconds(active.readyMs)}: ${run.message} ${remedies.ready_timeout}`;
    return [giveUp(active, 'ready_timeout', message, now + limits.stopDeadlineMs)];
  }
  const observed = newest.observed ?? vanished(active, newest);
  if (!hasEnded(observed)) {
    if (active.servingAt !== null) return [{ step: 'noteServing', identity: identity(start), url: active.servingAt }];
    const startedAt = Math.max(since, newest.row?.started_at ?? now);
    const startMs = milliseconds(run.spec.recovery.deadlines.starting_inference) ?? limits.startTimeoutMs;
    if (newest.row?.state === 'ready' || now - startedAt <= startMs) return [];
    const message = `The inference server does not answer ${seconds(startMs)} after its start. ${remedies.start_timeout}`;
    return [giveUp(active, 'start_timeout', message, now)];
  }

  const saidWhy = observed.exitCode === null ? undefined : exitReasons[observed.exitCode];
  if (saidWhy !== undefined && groupOf(saidWhy) !== 'infrastructure') {
    return [
      giveUp(
        active,
        saidWhy,
        `The inference server refused to start (exit code ${observed.exitCode}).`,
        now,
        identity(start),
      ),
    ];
  }
  const ends = inference.filter(({ row }) => row?.exited_at != null && now - row.exited_at < limits.inferenceWindowMs);
  if (ends.length > limits.inferenceRestarts) {
    const message = `The inference server has ended ${ends.length} times within ${seconds(limits.inferenceWindowMs)}; the last time ${describeEnd(observed)}.`;
    const reason = observed.outOfMemory ? 'oom_host' : 'inference_failed';
    return [giveUp(active, reason, message, now + limits.stopDeadlineMs, identity(start))];
  }
  const pauseMs = backoffMs({ failures: ends.length - 1, baseMs: 1000, maxMs: 60_000 });
  return now >= (newest.row?.exited_at ?? now) + pauseMs ? [{ step: 'startRole', identity: identity(start + 1) }] : [];
}

/** In words: with which code, or that nobody knows. */
export function describeEnd(role: ObservedRole): string {
  if (role.rebooted) return 'the machine was started anew';
  if (role.exitCode === null && role.pid === null) return 'it had not been started yet';
  if (role.exitCode === null) return 'it vanished without an exit code';
  if (role.outOfMemory) return 'the kernel killed it for want of memory';
  return role.exitCode > 128 ? `it was ended by signal ${role.exitCode - 128}` : `with exit code ${role.exitCode}`;
}

function noteChange({ observed, row }: RoleView): Step[] {
  if (observed === null || row === null) return [];
  const known = row.state === 'exited' || row.state === 'lost';
  const changed = hasEnded(observed) ? !known : row.pid === null && observed.pid !== null;
  return changed ? [{ step: 'noteRole', role: observed }] : [];
}

/** TERM, then KILL after the grace. */
function end({ observed, row }: RoleView, now: number, graceMs: number, why: string): Step[] {
  if (observed?.state !== 'running') return [];
  // Nobody knows it any more, so it has nowhere to save to and no place to note that it was asked.
  if (row === null)
    return [{ step: 'signal', identity: observed.identity, signal: 'KILL', why: 'its run is not known' }];
  if (row.term_at === null) return [{ step: 'signal', identity: observed.identity, signal: 'TERM', why }];
  if (row.kill_at === null && now - row.term_at >= graceMs) {
    return [{ step: 'signal', identity: observed.identity, signal: 'KILL', why: `${why}; still there after TERM` }];
  }
  return [];
}

/** KILL at once, for a program that would not hear TERM. */
function kill({ observed, row }: RoleView, why: string): Step[] {
  if (observed?.state !== 'running' || row?.kill_at != null) return [];
  return [{ step: 'signal', identity: observed.identity, signal: 'KILL', why }];
}

function stopDeadline({ run, attempt }: ActiveRun): number | null {
  const deadlines = [run.stop === null ? null : run.stop_deadline, attempt.ending_deadline].filter((at) => at !== null);
  return deadlines.length === 0 ? null : Math.min(...deadlines);
}

function giveUp(
  { run, attempt }: ActiveRun,
  reason: Reason,
  message: string,
  deadline: number,
  speaker: RoleIdentity | null = null,
): Step {
  return { step: 'giveUp', run: run.id, attempt: attempt.number, reason, message, deadline, speaker };
}

/** Whether the newest inference server answers, as far as is known. */
export function isServing({ inference, attempt }: Pick<ActiveRun, 'inference' | 'attempt'>): boolean {
  const newest = inference.at(-1);
  return attempt.inference_url !== null && newest?.row?.state === 'ready' && newest.observed !== null && isLive(newest);
}

/** Whether it was ever seen to be started, so that its absence means something. */
function wasSeen({ observed, row }: RoleView): boolean {
  const noted = row !== null && (row.pid !== null || row.state === 'exited' || row.state === 'lost');
  return noted || (observed !== null && observed.state !== 'created');
}

/** It was seen once and its workspace is gone: somebody removed it. */
function vanished({ run, attempt }: ActiveRun, { row }: RoleView): ObservedRole {
  const identity = { run: run.id, attempt: attempt.number, role: row?.role ?? 'trainer', start: row?.start ?? 1 };
  return { identity, state: 'lost', exitCode: null, pid: row?.pid ?? null, rebooted: false };
}

function isLive({ observed }: RoleView): boolean {
  return observed !== null && observed.state !== 'created' && !hasEnded(observed);
}

function hasEnded({ state }: ObservedRole): boolean {
  return state === 'exited' || state === 'lost';
}

function milliseconds(seconds: number | null): number | null {
  return seconds === null ? null : seconds * 1000;
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
