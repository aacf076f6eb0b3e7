import { readdirSync, readFileSync } from 'node:fs';
import type { Role } from '../../services/contracts/run.ts';

/** A living program of a run, as the kernel tells it; Tandem is not asked. */
export interface RoleProcess {
  pid: number;
  /** With the pid it names one process for ever (within a boot): clock ticks since boot, proc(5). */
  startTime: string;
  run: string;
  attempt: number;
  role: Role;
  /** UUIDs of the GPUs that it was given. */
  gpus: string[];
}

/** Every trainer and inference server that works below `home`, without their shims. */
export function roleProcesses(home: string): RoleProcess[] {
  return processesOf(home).flatMap(({ pid, startTime, command }) => {
    const [program, file = ''] = command;
    const role = /\/(trainer|inference)\/main\.js$/.exec(file)?.[1] as Role | undefined;
    if (role === undefined || !/(^|\/)node$/.test(program ?? '')) return [];
    const work = `${home}/work/`;
    const environment = read(pid, 'environ');
    const text = `${command.join('\0')}\0${environment}`;
    const place = text.slice(text.indexOf(work) + work.length);
    const [, run, attempt] = /^(run-\w+)\/a(\d+)\//.exec(place) ?? [];
    const gpus = /(?:^|\0)CUDA_VISIBLE_DEVICES=([^\0]+)/.exec(environment)?.[1]?.split(',') ?? [];
    return run === undefined ? [] : [{ pid, startTime, run, attempt: Number(attempt), role, gpus }];
  });
}

/** Every living process whose command line or environment names `home`, this one excepted. */
export function processesOf(home: string): { pid: number; startTime: string; command: string[] }[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    const { state, fields } = statOf(pid);
    const command = read(pid, 'cmdline').split('\0').slice(0, -1);
    if (hasEnded(state)) return [];
    if (!command.some((word) => word.includes(home)) && !read(pid, 'environ').includes(home)) return [];
    return [{ pid, startTime: fields[18] ?? '', command }];
  });
}

/** Not its command line: that is empty for a moment while a program is put in the place of another, too. */
export function isRunning(pid: number): boolean {
  return !hasEnded(statOf(pid).state);
}

function statOf(pid: number): { state: string; fields: string[] } {
  const stat = read(pid, 'stat');
  const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state, fields };
}

/** Also what nobody has collected yet. */
function hasEnded(state: string): boolean {
  return state === '' || state === 'Z' || state === 'X';
}

function read(pid: number, file: 'stat' | 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
