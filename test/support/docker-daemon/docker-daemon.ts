import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeTree } from '../../../services/platform/testing/remove-tree.ts';
import { exposePort } from '../expose-port.ts';
import { clearCgroup, missingSandbox, openSandbox } from './sandbox.ts';

/** A real dockerd that belongs to a test, with networks, images and containers of its own. */
export interface DockerDaemon {
  /** For DOCKER_HOST: `unix:///…`. */
  host: string;
  socketPath: string;
  /** Where it stores images, volumes and containers. */
  dataRoot: string;
  /** The address of this machine as containers on a network that is not internal reach it, and as programs here may listen on. */
  hostAddress: string;
  /** Runs a command among its networks: where a gateway's address can be listened on. `[...enter, 'node', …]`. */
  enter: readonly string[];
  pid(): number | undefined;
  /** SIGKILL, of dockerd alone; resolves when its containerd has ended with it. Shims and containers go on. */
  kill(): Promise<void>;
  /** Starts it again on the same data; nothing happens when it runs. */
  start(options?: DaemonOptions): Promise<void>;
  /** Makes a port of this machine's loopback reachable for containers, as `http://<hostAddress>:<port>`. */
  expose(port: number): Promise<string>;
  /** See `importBaseImage`. */
  importBaseImage(options?: { withPython?: boolean }): string;
  /** The docker client's output. */
  docker(...command: string[]): string;
  /** Kills it with all of its containers and removes what it has stored. */
  close(): Promise<void>;
  /** Everything it has written to its output. */
  log(): string;
}

export interface DaemonOptions {
  liveRestore?: boolean;
}

export interface NewDaemonOptions extends DaemonOptions {
  /** Fills its data root before it is started for the first time. */
  prepare?: (dataRoot: string) => void;
}

/** Why no daemon can be started here, to name a test that is skipped; null where one can. */
export function missingDocker(): string | null {
  for (const program of ['dockerd', 'docker', 'containerd', 'runc', 'iptables', 'ip', 'nsenter', 'setpriv']) {
    if (!hasProgram(program)) return `docker: there is no ${program}; scripts/test.sh installs it as root with apt-get`;
  }
  const reason = missingSandbox();
  return reason === null ? null : `docker: ${reason}`;
}

/** Takes half a second. It has no default bridge: containers name their network, or get none. */
export async function startDockerDaemon(options: NewDaemonOptions = {}): Promise<DockerDaemon> {
  await removeLeftBehind();
  const directory = mkdtempSync(join(tmpdir(), `tandem-dockerd-${process.pid}-`));
  const name = basename(directory);
  const socketPath = join(directory, 'docker.sock');
  const dataRoot = join(directory, 'data');
  const output = join(directory, 'dockerd.log');
  const sandbox = await openSandbox();
  const exposed = new Map<number, Awaited<ReturnType<typeof exposePort>>>();
  let child: ChildProcess | undefined;

  async function start({ liveRestore = options.liveRestore }: DaemonOptions = {}): Promise<void> {
    if (child !== undefined && isAlive(child)) return;
    const file = openSync(output, 'a');
    const [program, ...words] = [...sandbox.enter, 'setpriv', '--pdeathsig', 'KILL', 'dockerd'];
    const place = ['--data-root', dataRoot, '--exec-root', join(directory, 'exec')];
    const groups = ['--cgroup-parent', `/${name}`, '--exec-opt', 'native.cgroupdriver=cgroupfs'];
    // A containerd that the machine runs already is used by dockerd, under the names of its own containers unless told otherwise.
    const names = ['--containerd-namespace', name, '--containerd-plugins-namespace', `${name}-plugins`];
    const rest = ['--host', `unix://${socketPath}`, '--pidfile', join(directory, 'pid'), '--bridge', 'none'];
    const all = [...words, ...place, ...groups, ...names, ...rest, ...(liveRestore === true ? ['--live-restore'] : [])];
    const started = spawn(program!, all, { cwd: directory, stdio: ['ignore', file, file] });
    child = started;
    closeSync(file);
    for (const deadline = Date.now() + 60_000; Date.now() < deadline; await sleep(25)) {
      if (!isAlive(started)) break;
      if (await answers(socketPath)) return;
    }
    throw new Error(`dockerd did not become ready:\n${readFileSync(output, 'utf8').slice(-4000)}`);
  }

  async function kill(): Promise<void> {
    if (child === undefined || !isAlive(child)) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    await forgetContainerd(join(directory, 'exec/containerd/containerd.pid'));
  }

  async function expose(port: number): Promise<string> {
    if (!exposed.has(port)) exposed.set(port, await exposePort(sandbox.hostAddress, port));
    return exposed.get(port)!.origin;
  }

  async function close(): Promise<void> {
    for (const server of exposed.values()) server.close();
    await kill();
    await sandbox.close();
    await removeAll(directory);
  }

  try {
    options.prepare?.(dataRoot);
    await start();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    host: `unix://${socketPath}`,
    socketPath,
    dataRoot,
    hostAddress: sandbox.hostAddress,
    enter: sandbox.enter,
    pid: () => child?.pid,
    kill,
    start,
    expose,
    importBaseImage: (given) => importBaseImage(`unix://${socketPath}`, given),
    docker: (...command) => call(`unix://${socketPath}`, 'docker', command),
    close,
    log: () => readFileSync(output, 'utf8'),
  };
}

const root = resolve(import.meta.dirname, '../../..').replace(/\/dist$/, '');
const baseImageScript = join(root, 'scripts/base-image.sh');

/** dockerd's containerd and the shims of containers, all of which have its directory among their arguments. */
function endProcessesOf(directory: string): void {
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const words = readIfThere(`/proc/${name}/cmdline`).split('\0');
    if (!/(^|\/)containerd(-shim[-\w]*)?$/.test(words[0]!) || !words.some((word) => word.startsWith(directory)))
      continue;
    try {
      process.kill(Number(name), 'SIGKILL');
    } catch {
      // Ended meanwhile.
    }
  }
}

/** Makes `tandem-base` (scripts/base-image.sh) on a daemon and returns its tag; 2 seconds, 6 with Python. */
export function importBaseImage(host: string, { withPython = false }: { withPython?: boolean } = {}): string {
  return call(host, baseImageScript, withPython ? ['--python'] : []);
}

function call(host: string, program: string, command: readonly string[]): string {
  const env = { ...process.env, DOCKER_HOST: host, DOCKER_BUILDKIT: '0' };
  return execFileSync(program, command, { env, encoding: 'utf8', maxBuffer: 64 * 2 ** 20, stdio: 'pipe' }).trimEnd();
}

/**
 * dockerd's containerd ends with it. A dockerd that starts while the old one is dying, or is dead and unreaped, takes it for a living one, waits for
 * it, and gives up after 16 seconds.
 */
async function forgetContainerd(pidFile: string): Promise<void> {
  if (!existsSync(pidFile)) return;
  const status = `/proc/${readFileSync(pidFile, 'utf8').trim()}/status`;
  for (const deadline = Date.now() + 20_000; existsSync(status); await sleep(5)) {
    if (/^State:\s+Z/m.test(readIfThere(status))) break;
    if (Date.now() > deadline) throw new Error('a containerd did not end with its dockerd');
  }
  rmSync(pidFile);
}

/** What a test that was killed itself could not remove. */
async function removeLeftBehind(): Promise<void> {
  for (const name of readdirSync(tmpdir())) {
    const [, owner] = /^tandem-dockerd-(\d+)-/.exec(name) ?? [];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) await removeAll(join(tmpdir(), name));
  }
}

async function removeAll(directory: string): Promise<void> {
  endProcessesOf(directory);
  await clearCgroup(basename(directory));
  await removeTree(directory);
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    get({ socketPath, path: '/_ping', timeout: 1000 }, (reply) => {
      reply.resume();
      resolve(reply.statusCode === 200);
    }).once('error', () => resolve(false));
  });
}

export function hasProgram(name: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function isAlive(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null;
}
