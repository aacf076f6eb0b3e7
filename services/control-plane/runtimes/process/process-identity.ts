import { readFileSync } from 'node:fs';

/**
 * Tells a process from a later one with the same number: Linux counts process numbers around, but not the start time
 * (clock ticks since boot, field 22 of `/proc/<pid>/stat`, proc(5)) within one boot.
 */
export interface ProcessIdentity {
  pid: number;
  startTime: string;
  bootId: string;
}

/** The id Linux draws at each boot. */
export function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** The identity of a living process, or null; a zombie is not alive. */
export function readProcess(pid: number): ProcessIdentity | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // The second field is the program's name in parentheses and may hold anything, spaces and parentheses too.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTime = fields[19];
  if (startTime === undefined || state === 'Z' || state === 'X') return null;
  return { pid, startTime, bootId: readBootId() };
}

/** Whether that very process still lives. */
export function isAlive(identity: ProcessIdentity): boolean {
  const current = readProcess(identity.pid);
  return current !== null && current.startTime === identity.startTime && current.bootId === identity.bootId;
}
