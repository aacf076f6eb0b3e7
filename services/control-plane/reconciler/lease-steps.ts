import type { EventName } from '../../contracts/event.ts';
import { changeStatus } from '../runs/change-status.ts';
import type { ExecuteOptions } from './execute-options.ts';
import type { StepArguments } from './step.ts';

/** Gives GPUs back: those that are still this grant's, with the event that says so, in one transaction. */
export function releaseGpus(options: ExecuteOptions, step: StepArguments['releaseGpus']): void {
  const { db, leases } = options;
  const { run, attempt, epoch, gpus } = step;
  db.transaction(() => {
    const released = new Set(
      leases.release(
        { run, attempt, epoch },
        gpus.map(({ gpu }) => gpu),
      ),
    );
    if (released.size === 0) return;
    const indices = gpus.flatMap(({ gpu, index }) => (released.has(gpu) ? [index] : [])).sort((a, b) => a - b);
    tell(options, step, 'gpus_released', `The GPUs ${indices.join(',')} are clean and free again`, {
      epoch,
      gpus: [...released],
    });
  });
}

/** Notes what is wrong with a leased GPU, or that nothing is any more. */
export function markGpu(options: ExecuteOptions, step: StepArguments['markGpu']): void {
  const { db, leases } = options;
  const { run, attempt, epoch, gpu, index, state, note } = step;
  db.transaction(() => {
    if (!leases.mark({ run, attempt, epoch }, gpu, state, note)) return;
    const name = `GPU ${index ?? ''} (${gpu})`.replace('  ', ' ');
    if (state === 'quarantined') {
      const message = `${name} is not in order and given to nobody until it is: ${note}`;
      tell(options, step, 'gpu_quarantined', message, { epoch, gpu });
    } else {
      const message =
        note === null ? `${name}, which the run holds, is in order again` : `${name}, which the run holds: ${note}`;
      tell(options, step, 'gpu_trouble', message, { epoch, gpu });
    }
  });
}

/** Asks a run to save and to give its GPUs to another one, as a pause does; it keeps its place and goes on from that checkpoint by itself. */
export function preempt(options: ExecuteOptions, { run: id, by }: StepArguments['preempt']): void {
  const { db, runs, attempts, leases, events, stopDeadlineMs, now } = options;
  db.transaction(() => {
    const run = runs.get(id);
    const attempt = attempts.open(id);
    if (run === undefined || attempt === undefined || run.stop !== null || attempt.ending_reason !== null) return;
    const { stopping } = run.spec.recovery.deadlines;
    const deadline = now() + (stopping === null ? stopDeadlineMs : stopping * 1000);
    const until = new Date(deadline).toISOString();
    const asked = changeStatus(options, {
      run: id,
      from: ['starting', 'running'],
      to: {
        status: 'stopping',
        reason: 'preempted',
        message: `preempted by ${by}, of higher priority: a checkpoint is saved first, until ${until} at the latest.`,
      },
      actor: 'control_plane',
      attempt: attempt.number,
    });
    if (!asked) return;
    attempts.update(id, attempt.number, {
      ending_reason: 'preempted',
      ending_message: `Preempted by ${by}, which has a higher priority.`,
      ending_deadline: deadline,
    });
    leases.notePreemption(id, by);
    events.append({
      run: id,
      name: 'preempted',
      actor: 'control_plane',
      attempt: attempt.number,
      reason: 'preempted',
      message: `Asked to save and give its GPUs to ${by}, until ${until} at the latest`,
      data: { by, deadline: until },
    });
  });
}

/** The run may have been deleted since; then nobody is left to be told. */
function tell(
  { runs, events }: ExecuteOptions,
  { run, attempt }: { run: string; attempt: number },
  name: EventName,
  message: string,
  data: Record<string, unknown>,
): void {
  if (runs.get(run) === undefined) return;
  events.append({ run, name, actor: 'control_plane', attempt, message, data });
}
