import type { ResumeCandidate } from '../../contracts/agent-operations.ts';
import { ProblemError } from '../api/problem-error.ts';
import { resumedFrom, resumePoint, startCandidates } from '../attempts/start-point.ts';
import { LeaseConflictError } from '../leases/lease.store.ts';
import { needsGpus } from '../queue/gpu-line.ts';
import { changeStatus } from '../runs/change-status.ts';
import { describeInference, inferenceOf, rolesOf } from '../runs/inference-of.ts';
import type { RunRow } from '../runs/run-row.ts';
import { sinkTarget } from '../runs/sink-target.ts';
import type { ExecuteOptions } from './execute-options.ts';
import { roleTitles } from './role-titles.ts';
import type { StepArguments } from './step.ts';

/**
 * Gives a queued run its GPUs, or its slot: leases all of them or none, opens its next attempt and notes what that starts from, in one transaction.
 * A run that was changed since it was decided stays in the queue, and so does one whose GPUs somebody else has got.
 */
export async function grant(options: ExecuteOptions, { run: id, start }: StepArguments['grant']): Promise<void> {
  const { db, runs, attempts, leases, events, records, sinks, profiles, now, log } = options;
  const run = runs.get(id);
  if (run?.status !== 'queued' || (needsGpus(run.profile, profiles) ? run.profile : null) !== (start?.profile ?? null))
    return;
  if (run.model_due === 1 || (await isModelGone(options, run))) return;
  const candidates = await prepareStart(options, run);
  if (candidates === null) return;
  const [first] = candidates;
  const number = (attempts.current(id)?.number ?? 0) + 1;
  const from = first === undefined ? 'from the beginning' : `from ${first.label}`;
  const [role = 'trainer'] = rolesOf(run.spec);
  const served = describeInference(run.spec);
  const open = () => {
    const started = changeStatus(options, {
      run: id,
      from: ['queued'],
      to: {
        status: 'starting',
        reason: role === 'inference' ? 'starting_inference' : 'starting_trainer',
        message: `attempt ${number} starts its ${roleTitles[role]}, ${from}.`,
        started_at: run.started_at ?? now(),
        ended_at: null,
        restart_at: null,
        files_due: 1,
      },
      actor: 'control_plane',
      attempt: number,
    });
    if (!started) return;
    attempts.insert({ run: id, number, opened_at: now(), ...resumedFrom(first) });
    records.markSuperseded(id, resumePoint(id, number, first));
    leases.forgetPreemption(id);
    if (start !== null) {
      const epoch = leases.grant({ run: id, attempt: number, granted_at: now() }, start.gpus);
      const data = { epoch, ...start.gpus };
      events.append({
        run: id,
        name: 'gpus_leased',
        actor: 'control_plane',
        attempt: number,
        message: `GPUs leased: ${start.why}`,
        data,
      });
    }
    events.append({
      run: id,
      name: 'attempt_started',
      actor: 'control_plane',
      attempt: number,
      message: `Attempt ${number} ${from}${served === null ? '' : `; ${served}`}`,
      data: { resumed_from: first?.label ?? null, inference: inferenceOf(run.spec) },
    });
  };
  try {
    db.transaction(open);
  } catch (error) {
    if (!(error instanceof LeaseConflictError)) throw error;
    log.warn(`${error.message} It stays in the queue.`, { run: id });
    return;
  }
  sinks.open(sinkTarget(run, runs));
}

/** A model that was fetched once and removed since is fetched again. */
async function isModelGone({ models, runs }: ExecuteOptions, run: RunRow): Promise<boolean> {
  if (run.model_origin === null || (await models.isComplete(run.model_directory))) return false;
  runs.update(run.id, { model_due: 1 }, ['queued']);
  return true;
}

/**
 * What it may start from, and its tree. While it waited, the checkpoint may have been deleted or its tree taken: then it fails and says so.
 */
async function prepareStart(options: ExecuteOptions, run: RunRow): Promise<ResumeCandidate[] | null> {
  try {
    const candidates = startCandidates(run, options.checkpoints);
    await options.trees.claim(run.tree, run.id);
    return candidates;
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const reason = error.type === 'checkpoint-unusable' ? 'invalid_checkpoint' : 'invalid_spec';
    changeStatus(options, {
      run: run.id,
      from: ['queued'],
      to: { status: 'failed', reason, message: error.message, ended_at: options.now() },
      actor: 'control_plane',
    });
    return null;
  }
}
