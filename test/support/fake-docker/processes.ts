import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { locate } from './archive.ts';
import { enterNamespace, namespaceCommand, noProgram, writeHosts } from './namespaces.ts';
import type { DaemonState, FakeContainer, Launch } from './state.ts';

export interface ProcessOptions {
  /** Paths of a container's image, and where they lie on this machine. */
  paths?: Readonly<Record<string, string>>;
  /** Programs of images that this machine does not have, by name, and the words that stand for them; looked up at each start. */
  programs?: Readonly<Record<string, readonly string[]>>;
  /**
   * Each program has a mount namespace, so that it finds everything under a container's paths; needs root and Linux. Without, its arguments and variables are
   * changed to name this machine's paths, and what it learns from elsewhere it does not find.
   */
  namespaces?: boolean;
}

/**
 * Runs a container's command as a process of this machine. All of them share its network, so each has a loopback address of its own: it stands for 0.0.0.0 in its
 * arguments, and for its names and aliases in other containers of its networks.
 */
export function launchProcesses(
  state: DaemonState,
  { paths = {}, programs = {}, namespaces = false }: ProcessOptions,
): Launch {
  const hostsOf = ({ id }: FakeContainer) => join(state.directory, 'containers', `${id}.hosts`);

  function tellNames(): void {
    for (const container of state.containers.values()) {
      if (container.status !== 'exited')
        writeHosts(hostsOf(container), [...neighbours(state, container), ...extraHosts(container)]);
    }
  }

  return (container, { print, exit }) => {
    const here = (text: string) =>
      (namespaces ? text : withPaths(state, container, paths, text)).replaceAll('0.0.0.0', () => loopback(container));
    const [program = '', ...rest] = [...(container.body.Entrypoint ?? []), ...(container.body.Cmd ?? [])];
    const command = [...(programs[program] ?? [program]), ...rest].map(here);
    const env = { ...readEnv(container, here), PATH: process.env['PATH'] ?? '' };
    const cwd = namespaces ? '/' : locate(state, container, container.body.WorkingDir || '/').path;
    if (!namespaces) mkdirSync(cwd, { recursive: true });
    else tellNames();
    const words = namespaces
      ? namespaceCommand(state, container, { paths, hosts: hostsOf(container), command })
      : command;
    const child = spawn(words[0] ?? 'sh', words.slice(1), {
      cwd,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.once('error', () => {});
    const { pid } = child;
    if (pid === undefined) throw noProgram(command[0] ?? '');
    living.add(pid);
    child.stdout.on('data', (chunk: Buffer) => print(1, chunk));
    child.stderr.on('data', (chunk: Buffer) => print(2, chunk));
    // With the first process of a container end all others.
    child.once('exit', () => {
      signalGroup(pid);
      living.delete(pid);
    });
    child.once('close', (code, signal) => exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));

    return {
      pid,
      signal: (name) => (name === 'KILL' ? signalGroup(pid) : void child.kill(`SIG${name}` as NodeJS.Signals)),
      check: (check) =>
        new Promise((resolve) => {
          const own = check.map((text) => here(text).replaceAll(/\b(127\.0\.0\.1|localhost)\b/g, loopback(container)));
          const [program, ...rest] = namespaces ? enterNamespace(pid, own) : own;
          const checking = spawn(program!, rest, { cwd, env, stdio: 'ignore' });
          checking.once('error', () => resolve(false)).once('exit', (code) => resolve(code === 0));
        }),
    };
  };
}

/** A test that fails before it closes its daemon leaves no program behind. */
const living = new Set<number>();
process.once('exit', () => {
  for (const pid of living) signalGroup(pid);
});

function signalGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left.
  }
}

function readEnv({ body }: FakeContainer, here: (text: string) => string): Record<string, string> {
  const split = (text: string) => [text.slice(0, text.indexOf('=')), here(text.slice(text.indexOf('=') + 1))];
  return Object.fromEntries((body.Env ?? []).map(split));
}

/** A text with the paths of mounts, and the names of other containers in URLs, as they are on this machine. */
function withPaths(
  state: DaemonState,
  container: FakeContainer,
  paths: Readonly<Record<string, string>>,
  text: string,
): string {
  const targets = (container.body.HostConfig?.Mounts ?? []).map(({ Target }) => Target);
  const mounts = targets.map((target): [string, string] => [target, locate(state, container, target).path]);
  let found = text;
  for (const [from, to] of [...mounts, ...Object.entries(paths)].sort(([a], [b]) => b.length - a.length)) {
    found = found.replaceAll(new RegExp(`(?<![\\w/.-])${literally(from)}(?![\\w.-])`, 'g'), () => to);
  }
  for (const [address, name] of neighbours(state, container)) {
    found = found.replaceAll(new RegExp(`(?<=//|@)${literally(name)}(?=[:/]|$)`, 'g'), () => address);
  }
  return found;
}

/** What containers of the same networks are called, and where they listen. */
function neighbours(state: DaemonState, container: FakeContainer): [address: string, name: string][] {
  return [...state.containers.values()].flatMap((other) => {
    const shared = [...other.networks].filter(([name]) => container.networks.has(name) && name !== 'none');
    const names = shared.flatMap(([, { aliases }]) => [other.name, ...aliases]);
    return other.status === 'exited' ? [] : names.map((name): [string, string] => [loopback(other), name]);
  });
}

function extraHosts({ body }: FakeContainer): [address: string, name: string][] {
  return (body.HostConfig?.ExtraHosts ?? []).map((host) => {
    const [name = '', ...address] = host.split(':');
    return [address.join(':'), name];
  });
}

/** 127.128.0.0/9 by its id: two of them meet once in eight million. */
function loopback({ id }: FakeContainer): string {
  const value = Number.parseInt(id.slice(0, 6), 16);
  return `127.${128 + ((value >>> 16) & 127)}.${(value >>> 8) & 255}.${1 + (value % 254)}`;
}

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
