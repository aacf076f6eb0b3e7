import type { ObservedRole, RoleIdentity } from '../runtime.ts';
import type { ContainerDetail } from './engine/engine-types.ts';

/** What a daemon notes of a container that it finds dead after the machine was started anew, and whose code nobody saw. */
const UNSEEN_EXIT = 255;

/**
 * What an inspected container says of its role. One that was made and never started is `created`, whatever went wrong at an earlier try.
 *
 * @param bootedAt when the machine was started, in milliseconds since the epoch
 */
export function readContainer(
  identity: RoleIdentity,
  { status, pid, startedAt, exitCode, oomKilled }: ContainerDetail['state'],
  bootedAt: number,
): ObservedRole {
  const seen = (role: Pick<ObservedRole, 'state'> & Partial<ObservedRole>): ObservedRole => ({
    identity,
    exitCode: null,
    pid: pid === 0 ? null : pid,
    rebooted: false,
    ...role,
  });
  if (startedAt === null || status === 'created') return seen({ state: 'created' });
  if (status === 'running' || status === 'paused') return seen({ state: 'running' });
  if (status === 'restarting') return seen({ state: 'starting' });
  if (exitCode === UNSEEN_EXIT && Date.parse(startedAt) < bootedAt) return seen({ state: 'lost', rebooted: true });
  return seen({ state: 'exited', exitCode, ...(oomKilled && { outOfMemory: true }) });
}
