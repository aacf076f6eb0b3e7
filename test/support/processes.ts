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
    const stat = read(pid, 'stat');
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const command = read(pid, 'cmdline').split('\0').slice(0, -1);
    if (stat === '' || state === 'Z' || state === 'X') return [];
    if (!command.some((word) => word.includes(home)) && !read(pid, 'environ').includes(home)) return [];
    return [{ pid, startTime: fields[18] ?? '', command }];
  });
}

function read(pid: number, file: 'stat' | 'cmdline' | 'environ'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
