import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from '../../services/contracts/run.ts';
import type { Tandem } from './tandem.ts';

/** How the process runtime notes a program and its shim: `<pid> <start time> <boot id>`. */
export interface Noted {
  pid: number;
  startTime: string;
  bootId: string;
}

export function roleDirectory({ home }: Pick<Tandem, 'home'>, run: string, attempt: number, role: Role): string {
  return join(home, 'work', run, `a${attempt}`, role);
}

/** Changes what is noted about a role, as a machine that was started anew, or a number that was given away again, makes it look. */
export function renote(directory: string, change: (noted: Noted) => Partial<Noted>): void {
  for (const name of ['shim', 'command']) {
    const path = join(directory, '.role', name);
    const [pid, startTime, bootId] = readFileSync(path, 'utf8').trim().split(' ') as [string, string, string];
    const noted = { pid: Number(pid), startTime, bootId };
    const now = { ...noted, ...change(noted) };
    writeFileSync(path, `${now.pid} ${now.startTime} ${now.bootId}\n`);
  }
}

/** Kills a role and its shim at once, so that no exit code is written. */
export function killWithShim(directory: string): void {
  for (const name of ['shim', 'command']) {
    const pid = Number(readFileSync(join(directory, '.role', name), 'utf8').split(' ')[0]);
    process.kill(pid, 'SIGKILL');
  }
}
