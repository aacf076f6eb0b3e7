import { groupOf, remedyOf } from '../../contracts/reason.ts';
import { restStatuses } from '../../contracts/run.ts';
import { createToken, hashToken } from '../attempts/attempt-token.ts';
import { changeStatus } from '../runs/change-status.ts';
import type { RunRow } from '../runs/run-row.ts';
import { sinkTarget } from '../runs/sink-target.ts';
import { inferenceRole, type RoleShare, TOKEN_FILE, trainerRole } from '../runtimes/role-specs.ts';
import { type ObservedRole, type RoleIdentity, RoleRefusedError, roleName } from '../runtimes/runtime.ts';
import { endAttempt } from './end-attempt.ts';
import type { ExecuteOptions } from './execute-options.ts';
import { explainOutput } from './explain-output.ts';
import { fetchDueModel } from './fetch-due-model.ts';
import { grant } from './grant.ts';
import { markGpu, preempt, releaseGpus } from './lease-steps.ts';
import { describeEnd } from './plan.ts';
import { outputTail, quoteOutput } from './quote-output.ts';
import { roleTitles } from './role-titles.ts';
import type { Executors, StepArguments } from './step.ts';

/** For a run whose profile is gone. */
const DEFAULT_SHM_GIB = 1;

/**
 * How each step is taken. A step may be taken again after a crash in its middle, so each is written such that the second time completes the first.
 */
export function createExecutors(options: ExecuteOptions): Executors {
  return {
    grant: (step) => grant(options, step),
    startRole: (step, signal) => startRole(options, step, signal),
    noteRole: (step) => noteRole(options, step),
    noteServing: async (step) => noteServing(options, step),
    noteTraining: async (step) => noteTraining(options, step),
    signal: (step) => sendSignal(options, step),
    giveUp: (step) => giveUp(options, step),
    endAttempt: (step) => endAttempt(options, step),
    finishFiles: (step, signal) => finishFiles(options, step, signal),
    fetchModel: (step, signal) => fetchDueModel(options, step, signal),
    releaseGpus: async (step) => releaseGpus(options, step),
    markGpu: async (step) => markGpu(options, step),
    preempt: async (step) => preempt(options, step),
    cleanUp: (step) => cleanUp(options, step),
  };
}

async function startRole(
  options: ExecuteOptions,
  { identity }: StepArguments['startRole'],
  signal: AbortSignal,
): Promise<void> {
  const { db, runs, attempts, events, runtime, programs, profiles, vllmImage, agentUrl, now } = options;
  const run = runs.get(identity.run);
  const attempt = attempts.open(identity.run);
  if (run === undefined || attempt?.number !== identity.attempt) return;
  // An earlier try may have left a token that a trainer has read already.
  const token = (await runtime.readFile(identity, TOKEN_FILE)) ?? createToken();
  db.transaction(() => {
    const { role, start } = identity;
    attempts.update(run.id, attempt.number, {
      started_at: attempt.started_at ?? now(),
      ...(role === 'trainer' ? { token_hash: hashToken(token) } : {}),
    });
    if (attempts.roles(run.id, attempt.number).some((row) => row.role === role && row.start === start)) return;
    attempts.putRole({
      ...identity,
      state: 'starting',
      exit_code: null,
      pid: null,
      started_at: now(),
      exited_at: null,
      term_at: null,
      kill_at: null,
    });
    const again = start === 1 ? '' : ` again (start ${start})`;
    events.append({
      run: run.id,
      name: 'role_started',
      actor: 'control_plane',
      attempt: attempt.number,
      message: `The ${roleTitles[role]} is started${again}`,
      data: { role, start },
    });
  });
  const profile = profiles.get(run.profile) ?? null;
  const shared = { run, attempt: attempt.number, runtime, programs, profile, share: shareOf(identity, run, options) };
  const startDirectory = run.start_from.kind === 'directory' ? run.start_from.path : null;
  const spec =
    identity.role === 'trainer'
      ? trainerRole({ ...shared, token, agentUrl: agentUrl(), startDirectory })
      : inferenceRole({ ...shared, start: identity.start, vllmImage });
  const tell = (message: string) => runs.update(run.id, { message }, ['starting']);
  try {
    await runtime.start(spec, { signal, tell });
  } catch (error) {
    if (!(error instanceof RoleRefusedError)) {
      // What is tried again may never work; then this is the last that is known of why.
      if (!signal.aborted) tell(`The ${roleTitles[identity.role]} could not be started yet: ${messageOf(error)}`);
      throw error;
    }
    const { reason, message } = error;
    const gone = { run: run.id, attempt: attempt.number, reason, message, deadline: now(), speaker: null };
    await giveUp(options, gone);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What a role gets of the machine, by its run's profile and lease. */
function shareOf(
  { attempt, role }: Pick<RoleIdentity, 'attempt' | 'role'>,
  run: RunRow,
  { profiles, leases }: Pick<ExecuteOptions, 'profiles' | 'leases'>,
): RoleShare {
  const profile = profiles.get(run.profile);
  const lease = leases.heldBy(run.id, attempt);
  return { gpus: lease?.[role] ?? [], epoch: lease?.epoch ?? null, shmGib: profile?.[role].shm_gib ?? DEFAULT_SHM_GIB };
}

async function noteRole(options: ExecuteOptions, { role }: StepArguments['noteRole']): Promise<void> {
  const { db, attempts, events, now } = options;
  const { identity, state, exitCode, pid } = role;
  if (state !== 'exited' && state !== 'lost') {
    // Its image and inputs may have taken long to get; its time to answer begins now.
    attempts.updateRole(identity, { pid, started_at: now() });
    return;
  }
  if (await isHopeless(options, role)) {
    const message = `The inference server could not start: ${describeEnd(role)}.`;
    const { run, attempt } = identity;
    await giveUp(options, { run, attempt, reason: 'inference_failed', message, deadline: now(), speaker: identity });
  }
  db.transaction(() => {
    // What has ended may no longer say which process it was.
    attempts.updateRole(identity, { state, exit_code: exitCode, exited_at: now(), ...(pid === null ? {} : { pid }) });
    events.append({
      run: identity.run,
      name: 'role_exited',
      actor: 'control_plane',
      attempt: identity.attempt,
      message: `The ${roleTitles[identity.role]} has ended: ${describeEnd(role)}`,
      data: { role: identity.role, start: identity.start, pid, state, exit_code: exitCode },
    });
  });
}

/** Whether a server that never answered in this attempt says why it cannot, and another try of minutes would end the same way. */
async function isHopeless(options: ExecuteOptions, { identity, exitCode }: ObservedRole): Promise<boolean> {
  if (identity.role !== 'inference' || exitCode === null || exitCode === 0 || exitCode > 128) return false;
  const attempt = options.attempts.open(identity.run);
  if (attempt?.number !== identity.attempt || attempt.inference_url !== null) return false;
  const known = explainOutput(await outputTail(identity, options));
  return known !== null && groupOf(known.reason) !== 'infrastructure';
}

function noteServing(options: ExecuteOptions, { identity, url }: StepArguments['noteServing']): void {
  const { db, attempts, events } = options;
  db.transaction(() => {
    attempts.updateRole(identity, { state: 'ready' });
    attempts.update(identity.run, identity.attempt, { inference_url: url });
    events.append({
      run: identity.run,
      name: 'role_ready',
      actor: 'control_plane',
      attempt: identity.attempt,
      message: `The inference server answers at ${url}`,
      data: { role: 'inference', start: identity.start, url },
    });
    if (options.runs.get(identity.run)?.reason !== 'starting_inference') return;
    changeStatus(options, {
      run: identity.run,
      from: ['starting'],
      to: {
        status: 'starting',
        reason: 'starting_trainer',
        message: 'the inference server answers; its trainer is next.',
      },
      actor: 'control_plane',
      attempt: identity.attempt,
    });
  });
}

function noteTraining(options: ExecuteOptions, { run, attempt }: StepArguments['noteTraining']): void {
  const { db, attempts, events } = options;
  db.transaction(() => {
    const changed = changeStatus(options, {
      run,
      from: ['starting'],
      to: { status: 'running', reason: 'training', message: 'the trainer has reported.' },
      actor: 'control_plane',
      attempt,
    });
    if (!changed) return;
    attempts.updateRole({ run, attempt, role: 'trainer', start: 1 }, { state: 'ready' });
    events.append({ run, name: 'role_ready', actor: 'control_plane', attempt, message: 'The trainer reports' });
  });
}

async function sendSignal(options: ExecuteOptions, { identity, signal, why }: StepArguments['signal']): Promise<void> {
  const { db, runs, attempts, events, runtime, now, log } = options;
  await runtime.signal(identity, signal);
  log.info(`SIG${signal} sent to ${roleName(identity)}: ${why}`);
  db.transaction(() => {
    attempts.updateRole(identity, signal === 'TERM' ? { term_at: now() } : { kill_at: now() });
    // That the server ends with its attempt is the normal course of things.
    const expected = identity.role === 'inference' && signal === 'TERM';
    if (expected || runs.get(identity.run) === undefined) return;
    events.append({
      run: identity.run,
      name: 'warning',
      actor: 'control_plane',
      attempt: identity.attempt,
      message: `SIG${signal} sent to the ${roleTitles[identity.role]}: ${why}`,
      data: { role: identity.role, signal: `SIG${signal}` },
    });
  });
}

async function giveUp(options: ExecuteOptions, step: StepArguments['giveUp']): Promise<void> {
  const { db, attempts, leases, events } = options;
  const { run, attempt, deadline, speaker } = step;
  const output = speaker === null ? '' : await outputTail(speaker, options);
  const known = step.reason === 'inference_failed' ? explainOutput(output) : null;
  const reason = known?.reason ?? step.reason;
  const remedy = known?.message ?? remedyOf(reason) ?? '';
  const message = `${step.message}${quoteOutput(output)}${step.message.includes(remedy) ? '' : ` ${remedy}`}`;
  db.transaction(() => {
    if (attempts.get(run, attempt)?.ending_reason !== null) return;
    if (known?.gpuLine != null) leases.suspect({ run, attempt }, 'inference', known.gpuLine);
    attempts.update(run, attempt, { ending_reason: reason, ending_message: message, ending_deadline: deadline });
    events.append({ run, name: 'warning', actor: 'control_plane', attempt, reason, message });
  });
}

async function finishFiles(
  options: ExecuteOptions,
  { run: id }: StepArguments['finishFiles'],
  signal: AbortSignal,
): Promise<void> {
  const { runs, sinks, runFiles, prune } = options;
  // A crash right after the end may have left half an upload or half a deletion, and nobody would come by again.
  await prune(id);
  const run = runs.get(id);
  // It may have been resumed or deleted meanwhile; then its tree is no longer ours.
  if (run === undefined || run.files_due === 0 || !restStatuses.includes(run.status)) return;
  sinks.open(sinkTarget(run, runs));
  const written = await sinks.finish(id, signal);
  signal.throwIfAborted();
  if (!written) throw new Error(`Not every file of ${run.tree} could be written; the log says why of each.`);
  await runFiles.save(id);
  // A run that was resumed and has ended again since has files due anew.
  signal.throwIfAborted();
  runs.update(id, { files_due: 0 }, restStatuses);
}

async function cleanUp(
  { runtime }: ExecuteOptions,
  { run, attempt, identities }: StepArguments['cleanUp'],
): Promise<void> {
  for (const identity of identities satisfies RoleIdentity[]) await runtime.remove(identity);
  await runtime.removeShared({ run, attempt });
}
