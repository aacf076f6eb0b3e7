import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A network and a mount namespace: what a daemon changes in firewall, bridges and mounts stays inside, and goes with it. */
export interface Sandbox {
  /** Under which containers and this machine reach each other: this machine's end of the cable. */
  hostAddress: string;
  /** A command that runs `command` inside; its process becomes `command`. */
  enter: readonly string[];
  close(): Promise<void>;
}

/** Why there can be no sandbox here; null where there can. */
export function missingSandbox(): string | null {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    const script = 'ip link add tandem-try type veth peer name tandem-end && mount -t tmpfs tandem-try /mnt';
    execFileSync('unshare', ['--net', '--mount', 'sh', '-c', script], { stdio: 'pipe' });
    return null;
  } catch (error) {
    return `this machine lets nobody make network interfaces and mounts: ${(error as Error).message.trim()}`;
  }
}

export async function openSandbox(): Promise<Sandbox> {
  const holder = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', '--net', '--mount', 'sh', '-c', 'echo ready; exec sleep infinity'],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await Promise.race([once(holder.stdout!, 'data'), failsToStart(holder)]);
  const enter = ['nsenter', `--net=/proc/${holder.pid}/ns/net`, `--mount=/proc/${holder.pid}/ns/mnt`, '--'];
  const { host, inside } = freePair();
  const cable = `tdm${host.split('.').slice(2).join('-')}`;
  run('ip', 'link', 'add', cable, 'type', 'veth', 'peer', 'name', 'outside', 'netns', String(holder.pid));
  run('ip', 'address', 'add', `${host}/30`, 'dev', cable);
  run('ip', 'link', 'set', cable, 'up');
  run(...enter, 'ip', 'link', 'set', 'lo', 'up');
  run(...enter, 'ip', 'address', 'add', `${inside}/30`, 'dev', 'outside');
  run(...enter, 'ip', 'link', 'set', 'outside', 'up');
  run(...enter, 'ip', 'route', 'add', 'default', 'via', host);
  return {
    hostAddress: host,
    enter,
    async close() {
      if (holder.exitCode !== null || holder.signalCode !== null) return;
      const gone = once(holder, 'exit');
      holder.kill('SIGKILL');
      await gone;
    },
  };
}

/** Ends everything that runs in a cgroup or below it, in each hierarchy, and removes it. */
export async function clearCgroup(name: string): Promise<void> {
  const roots = ['', ...readdirSync('/sys/fs/cgroup')].map((controller) => join('/sys/fs/cgroup', controller, name));
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(20)) {
    const left = roots.filter((root) => existsSync(root));
    if (left.length === 0) return;
    for (const root of left) clearGroup(root);
  }
  throw new Error(`the cgroup ${name} of a test's Docker daemon could not be removed`);
}

function clearGroup(path: string): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) clearGroup(join(path, entry.name));
  }
  attempt(() => writeFileSync(join(path, 'freezer.state'), 'THAWED', { flag: 'r+' }));
  attempt(() => writeFileSync(join(path, 'cgroup.freeze'), '0', { flag: 'r+' }));
  attempt(() => {
    for (const pid of readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean)) {
      attempt(() => process.kill(Number(pid), 'SIGKILL'));
    }
  });
  // Refused until its processes are reaped; the caller comes again.
  attempt(() => rmdirSync(path));
}

/** What is gone meanwhile, or is not there on this version of cgroups, needs nothing. */
function attempt(action: () => void): void {
  try {
    action();
  } catch {}
}

/** Two addresses of a /30 that no interface of this machine has. */
function freePair(): { host: string; inside: string } {
  const taken = execFileSync('ip', ['-4', 'address'], { encoding: 'utf8' });
  for (;;) {
    const base = 4 * Math.floor(Math.random() * 64 * 256);
    const address = (last: number) => `10.212.${base >> 8}.${(base & 255) + last}`;
    if (!taken.includes(`${address(1)}/`)) return { host: address(1), inside: address(2) };
  }
}

async function failsToStart(child: ChildProcess): Promise<never> {
  const [code] = await once(child, 'exit');
  throw new Error(`the namespaces of a test's Docker daemon could not be made: exit code ${code}`);
}

function run(...[command, ...options]: string[]): void {
  execFileSync(command!, options, { stdio: ['ignore', 'ignore', 'pipe'] });
}
