import { spawn } from 'node:child_process';
import { access, mkdir, open, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { boundOutput, cutOutput } from '../bounded-output.ts';
import { engineVariables, handedOn } from '../handed-on.ts';
import { listKept, readTail } from '../kept-output.ts';
import { READY_FILE } from '../role-specs.ts';
import { parseRoleName, type RoleIdentity, type RoleSignal, type Runtime, roleName } from '../runtime.ts';
import { isAlive } from './process-identity.ts';
import { readOrNull } from './read-or-null.ts';
import { readCommandIdentity, readRoleState } from './role-state.ts';
import { shimFiles, shimScript } from './shim.ts';

const STATE = '.role';
const OUTPUT = 'output.log';
const SHARED = 'adapters';
/** What every program gets from the control plane's own environment; its keys and secrets stay behind. */
const inherited = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'TANDEM_TENSORFLOW_HOME', ...engineVariables];

/**
 * Starts roles as processes of this machine, each below a shim that outlives the control plane (`shim.ts`).
 * What a role prints is bounded each time it is observed (`../bounded-output.ts`).
 * A role's workspace is `<work>/<run>/a<attempt>/<role>[.<start>]/`; what it printed moves to `<kept>` when the workspace is removed.
 */
export function createProcessRuntime({
  work,
  kept,
  environment,
  isHealthy,
  now,
}: {
  work: string;
  kept: string;
  environment: Readonly<Record<string, string | undefined>>;
  /** Whether a server answers its health check. */
  isHealthy: (url: string) => Promise<boolean>;
  now: () => number;
}): Runtime {
  const attemptDirectory = ({ run, attempt }: Pick<RoleIdentity, 'run' | 'attempt'>) => join(work, run, `a${attempt}`);
  const workspace = (identity: RoleIdentity) =>
    join(attemptDirectory(identity), identity.start === 1 ? identity.role : `${identity.role}.${identity.start}`);
  const stateOf = (identity: RoleIdentity) => join(workspace(identity), STATE);
  const keptOutput = (identity: RoleIdentity) => join(kept, identity.run, `${roleName(identity)}.log`);
  const shared = (attempt: Pick<RoleIdentity, 'run' | 'attempt'>) => join(attemptDirectory(attempt), SHARED);

  return {
    observe: async () => {
      const identities = await listWorkspaces(work);
      const roles = await Promise.all(identities.map((identity) => readRoleState(stateOf(identity), identity, now)));
      for (const role of roles)
        if (role?.state === 'running') await boundOutput(join(workspace(role.identity), OUTPUT));
      return roles.filter((role) => role !== null);
    },

    start: async (spec) => {
      const directory = workspace(spec.identity);
      const state = stateOf(spec.identity);
      if ((await readRoleState(state, spec.identity, now)) !== null) return;
      await mkdir(state, { recursive: true, mode: 0o700 });
      await mkdir(shared(spec.identity), { recursive: true });
      for (const [path, content] of Object.entries(spec.files)) {
        await writeSecret(join(directory, path), content);
      }
      const env = { ...handedOn(environment, inherited), CUDA_VISIBLE_DEVICES: spec.gpus.join(','), ...spec.env };
      await launch({ state, directory, command: spec.command, env });
      await waitForStart(state);
    },

    signal: async (identity, signal) => {
      const role = await readRoleState(stateOf(identity), identity, now);
      const command = await readCommandIdentity(stateOf(identity));
      if (role?.state !== 'running' || command === null || !isAlive(command)) return;
      sendSignal(command.pid, signal);
    },

    remove: async (identity) => {
      const role = await readRoleState(stateOf(identity), identity, now);
      if (role?.state === 'running' || role?.state === 'starting') {
        throw new Error(`${roleName(identity)} still runs; it is stopped before its workspace is removed`);
      }
      await cutOutput(join(workspace(identity), OUTPUT));
      await keepOutput(join(workspace(identity), OUTPUT), keptOutput(identity));
      await rm(workspace(identity), { recursive: true, force: true });
      await removeIfEmpty(attemptDirectory(identity));
      await removeIfEmpty(join(work, identity.run));
    },

    workspace,
    sharedDirectory: shared,

    removeShared: async (attempt) => {
      await rm(shared(attempt), { recursive: true, force: true });
      await removeIfEmpty(attemptDirectory(attempt));
      await removeIfEmpty(join(work, attempt.run));
    },

    listShared: async () =>
      (await listAttempts(work)).flatMap(({ run, attempt, entries }) =>
        entries.includes(SHARED) ? [{ run, attempt }] : [],
      ),

    seenAt: (path) => path,

    listenAt: { host: '127.0.0.1', port: 0 },

    serving: async (identity) => {
      const text = await readOrNull(join(workspace(identity), READY_FILE));
      const url = text === null ? null : parseReadyFile(text);
      return url !== null && (await isHealthy(new URL('/health', url).href)) ? url : null;
    },

    fetchFile: async (identity, path) => {
      const file = join(workspace(identity), path);
      return await access(file).then(
        () => file,
        () => null,
      );
    },

    forgetOutput: (run) => rm(join(kept, run), { recursive: true, force: true }),

    readFile: (identity, path) => readOrNull(join(workspace(identity), path)),

    outputs: async (run) => {
      const live = (await listWorkspaces(work, run)).map((identity) => {
        return { identity, path: join(workspace(identity), OUTPUT), ended: false };
      });
      return [...(await listKept(kept, run)).map((output) => ({ ...output, ended: true })), ...live];
    },

    output: async (identity, bytes) =>
      (await readTail(join(workspace(identity), OUTPUT), bytes)) ?? (await readTail(keptOutput(identity), bytes)) ?? '',
  };
}

async function listWorkspaces(work: string, run?: string): Promise<RoleIdentity[]> {
  return (await listAttempts(work, run)).flatMap(({ run, attempt, entries }) =>
    entries.map((entry) => parseRoleName(`${run}.a${attempt}.${entry}`)).filter((identity) => identity !== null),
  );
}

/** Of one run, or of all. */
async function listAttempts(
  work: string,
  only?: string,
): Promise<{ run: string; attempt: number; entries: string[] }[]> {
  const attempts: { run: string; attempt: number; entries: string[] }[] = [];
  for (const run of only === undefined ? await listDirectories(work) : [only]) {
    for (const name of await listDirectories(join(work, run))) {
      const number = /^a(\d+)$/.exec(name)?.[1];
      if (number === undefined) continue;
      attempts.push({ run, attempt: Number(number), entries: await listDirectories(join(work, run, name)) });
    }
  }
  return attempts;
}

function parseReadyFile(text: string): string | null {
  try {
    const { url } = JSON.parse(text) as { url?: unknown };
    return typeof url === 'string' && URL.canParse(url) ? url : null;
  } catch {
    return null;
  }
}

async function listDirectories(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Whole or not at all, so that a role never reads half a secret. */
async function writeSecret(path: string, content: string): Promise<void> {
  await rm(`${path}.tmp`, { force: true });
  await writeFile(`${path}.tmp`, content, { mode: 0o600, flag: 'wx' });
  await rename(`${path}.tmp`, path);
}

async function launch({
  state,
  directory,
  command,
  env,
}: {
  state: string;
  directory: string;
  command: readonly string[];
  env: Record<string, string>;
}): Promise<void> {
  const output = await open(join(directory, OUTPUT), 'a', 0o600);
  try {
    const shim = spawn('/bin/sh', ['-c', shimScript, 'tandem-role', state, ...command], {
      cwd: directory,
      env,
      detached: true,
      stdio: ['ignore', output.fd, output.fd],
    });
    await new Promise<void>((resolve, reject) => {
      shim.once('spawn', resolve);
      shim.once('error', reject);
    });
    shim.unref();
  } finally {
    await output.close();
  }
}

/** Until the shim has said that it is there, or something is wrong with the machine; then the next observation tells. */
async function waitForStart(state: string): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    if ((await readdir(state)).includes(shimFiles.started)) return;
    await delay(10);
  }
}

/** To the whole group; to the process alone in the instant before it has become the leader of its group. */
function sendSignal(pid: number, signal: RoleSignal): void {
  try {
    process.kill(-pid, `SIG${signal}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    try {
      process.kill(pid, `SIG${signal}`);
    } catch (second) {
      if ((second as NodeJS.ErrnoException).code !== 'ESRCH') throw second;
    }
  }
}

async function keepOutput(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

async function removeIfEmpty(path: string): Promise<void> {
  try {
    await rmdir(path);
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
