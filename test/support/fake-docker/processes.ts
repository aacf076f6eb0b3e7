import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { locate } from './archive.ts';
import { type DaemonState, type FakeContainer, type Launch, Refusal } from './state.ts';

export interface ProcessOptions {
  /** More of a container's paths that lie elsewhere on this machine: those of its image. */
  paths?: Readonly<Record<string, string>>;
}

/**
 * Runs a container's command as a process of this machine. Where its arguments and variables name its mounts, they name their directories here; and since all
 * containers share one network, each has a loopback address of its own, which stands for 0.0.0.0 and, in others of its network, for its aliases.
 */
export function launchProcesses(state: DaemonState, { paths = {} }: ProcessOptions): Launch {
  return (container, { print, exit }) => {
    const here = (text: string) => substitute(state, container, paths, text);
    const command = [...(container.body.Entrypoint ?? []), ...(container.body.Cmd ?? [])].map(here);
    const given = Object.fromEntries(
      (container.body.Env ?? []).map((text) => [text.split('=')[0]!, here(text.slice(text.indexOf('=') + 1))]),
    );
    const env = { ...given, PATH: process.env['PATH'] ?? '' };
    const cwd = locate(state, container, container.body.WorkingDir || '/').path;
    mkdirSync(cwd, { recursive: true });
    const child = spawn(command[0] ?? 'sh', command.slice(1), {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    if (child.pid === undefined) {
      child.once('error', () => {});
      throw new Refusal(
        400,
        `failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: "${command[0]}": executable file not found in $PATH: unknown`,
      );
    }
    child.stdout.on('data', (chunk: Buffer) => print(1, chunk));
    child.stderr.on('data', (chunk: Buffer) => print(2, chunk));
    child.once('close', (code, signal) => {
      // With the first process of a container end all others.
      signalGroup('KILL');
      exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
    child.once('exit', () => signalGroup('KILL'));

    function signalGroup(name: string): void {
      try {
        process.kill(-child.pid!, `SIG${name}` as NodeJS.Signals);
      } catch {
        // Nobody is left.
      }
    }
    return {
      pid: child.pid,
      signal(name) {
        if (name === 'KILL') signalGroup('KILL');
        else child.kill(`SIG${name}` as NodeJS.Signals);
      },
      check: (words) =>
        new Promise((resolve) => {
          const own = (text: string) => here(text).replaceAll(/\b(127\.0\.0\.1|localhost)\b/g, loopback(container));
          const [program, ...rest] = words.map(own);
          const check = spawn(program!, rest, { cwd, env, stdio: 'ignore' });
          check.once('error', () => resolve(false)).once('exit', (code) => resolve(code === 0));
        }),
    };
  };
}

function substitute(
  state: DaemonState,
  container: FakeContainer,
  paths: Readonly<Record<string, string>>,
  text: string,
): string {
  const mounts = (container.body.HostConfig?.Mounts ?? []).map(({ Target }) => [
    Target,
    locate(state, container, Target).path,
  ]);
  const places = [...mounts, ...Object.entries(paths)].sort(([a], [b]) => b!.length - a!.length);
  let found = text;
  for (const [from, to] of places) {
    found = found.replaceAll(new RegExp(`(?<![\\w/.-])${literally(from!)}(?![\\w.-])`, 'g'), () => to!);
  }
  for (const other of state.containers.values()) {
    const shared = [...other.networks].filter(([name]) => container.networks.has(name));
    for (const alias of shared.flatMap(([, { aliases }]) => [other.name, ...aliases])) {
      found = found.replaceAll(new RegExp(`(?<=//|@)${literally(alias)}(?=[:/]|$)`, 'g'), () => loopback(other));
    }
  }
  return found.replaceAll('0.0.0.0', () => loopback(container));
}

/** 127.128.0.0/9 by its id: two of them meet once in eight million. */
function loopback({ id }: FakeContainer): string {
  const value = Number.parseInt(id.slice(0, 6), 16);
  return `127.${128 + ((value >>> 16) & 127)}.${(value >>> 8) & 255}.${1 + (value % 254)}`;
}

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
