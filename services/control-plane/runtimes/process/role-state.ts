import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObservedRole, RoleIdentity } from '../runtime.ts';
import { isAlive, type ProcessIdentity, readBootId } from './process-identity.ts';
import { readOrNull } from './read-or-null.ts';
import { shimFiles } from './shim.ts';

/** A shim that has not said who it is within this time was killed before it could. */
const SHIM_START_MS = 10_000;

/** Reads what became of a role from its state directory and `/proc`; null when it was never started. */
export async function readRoleState(
  state: string,
  identity: RoleIdentity,
  now: () => number,
): Promise<ObservedRole | null> {
  const startedAt = await modifiedAt(join(state, shimFiles.started));
  if (startedAt === null) return null;

  const shim = await readIdentity(join(state, shimFiles.shim));
  const command = await readIdentity(join(state, shimFiles.command));
  const seen = (role: Pick<ObservedRole, 'state'> & Partial<ObservedRole>): ObservedRole => ({
    identity,
    exitCode: null,
    pid: command?.pid ?? null,
    rebooted: false,
    ...role,
  });

  const exitCode = await readExitCode(state);
  if (exitCode !== null) {
    const outOfMemory = (await modifiedAt(join(state, shimFiles.outOfMemory))) !== null;
    return seen({ state: 'exited', exitCode, ...(outOfMemory && { outOfMemory }) });
  }
  if (shim !== null && shim.bootId !== readBootId()) return seen({ state: 'lost', rebooted: true });
  if (command !== null && isAlive(command)) return seen({ state: 'running' });
  // Between the command's end and the exit file only the shim lives.
  if (shim !== null && isAlive(shim)) return seen({ state: command === null ? 'starting' : 'running' });
  if (shim === null && now() - startedAt < SHIM_START_MS) return seen({ state: 'starting' });
  // The shim may have written the exit code since it was looked for.
  const lateExitCode = await readExitCode(state);
  return lateExitCode === null ? seen({ state: 'lost' }) : seen({ state: 'exited', exitCode: lateExitCode });
}

/** The process of the role itself, not of its shim. */
export async function readCommandIdentity(state: string): Promise<ProcessIdentity | null> {
  return readIdentity(join(state, shimFiles.command));
}

async function readExitCode(state: string): Promise<number | null> {
  const text = await readOrNull(join(state, shimFiles.exit));
  return text !== null && /^\d+\n$/.test(text) ? Number(text) : null;
}

async function readIdentity(path: string): Promise<ProcessIdentity | null> {
  const [pid, startTime, bootId] = ((await readOrNull(path)) ?? '').trim().split(' ');
  if (pid === undefined || startTime === undefined || bootId === undefined) return null;
  return { pid: Number(pid), startTime, bootId };
}

async function modifiedAt(path: string): Promise<number | null> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
