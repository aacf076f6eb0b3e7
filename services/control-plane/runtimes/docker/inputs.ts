import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { followImports, ImportRefusedError, isProgram } from '../../../platform/local-imports/follow-imports.ts';
import { serialByKey } from '../../../platform/serial-by-key.ts';
import { RoleRefusedError, type Starting } from '../runtime.ts';
import type { DockerEngine } from './engine/docker-engine.ts';
import type { ContainerBody, ContainerDetail } from './engine/engine-types.ts';
import { type InputFile, packInput } from './input-archive.ts';
import { label, type Names } from './naming.ts';
import { hash, roleUser } from './places.ts';
import { unlessAborted } from './unless-aborted.ts';

const MOUNT = '/tandem/input';
/** The largest models take an hour on a slow disk; the profile's `deadlines.ready` ends it earlier. */
const COPY_MS = 12 * 3_600_000;
/** What no run has used for so long after it was filled is removed when an attempt is cleared away. */
const KEPT_MS = 24 * 3_600_000;

export interface InputsOptions {
  engine: DockerEngine;
  names: Names;
  /** Image and command of the program that checks what was copied (`verify-input.ts`). */
  image: string;
  verify: readonly string[];
  now: () => number;
}

/** Volumes by the path of what they hold. They stay until `release`, or as long as a container has them. */
export interface HeldInputs {
  volumes: ReadonlyMap<string, string>;
  release(): void;
}

/** Models and data sets, each copied once into a volume of its own. */
export interface Inputs {
  /** Copies what is not there yet. @throws RoleRefusedError for a path that cannot be read */
  ensure(paths: readonly string[], starting: Starting): Promise<HeldInputs>;
  /** Removes those that nobody holds and no container has: what was filled long ago, and what a control plane that died has left half filled. */
  sweep(): Promise<void>;
}

/**
 * Copies go through the daemon, so they work as well from a control plane that is itself in a container. A volume is complete when the container that checked
 * its hashes has ended with 0: that container stays as the mark of it, and no state is kept anywhere else. A changed file makes another volume.
 */
export function createInputs(options: InputsOptions): Inputs {
  const { engine, names, now } = options;
  const serial = serialByKey();
  const holders = new Map<string, number>();
  const hold = (volume: string, by: 1 | -1) => {
    const count = (holders.get(volume) ?? 0) + by;
    if (count === 0) holders.delete(volume);
    else holders.set(volume, count);
  };

  const ensureOne = async (path: string, starting: Starting, held: (volume: string) => void): Promise<string> => {
    const files = await listInput(path);
    const key = hash(JSON.stringify([path, files.map(({ name, size, modified }) => [name, size, modified])]));
    const volume = names.input(key);
    held(volume);
    const work = serial(key, async () => {
      starting.signal.throwIfAborted();
      await fill({ path, files, key, volume }, starting, options);
    });
    await unlessAborted(work, starting.signal);
    return volume;
  };

  const sweepOne = async ({ name, state }: ContainerDetail): Promise<void> => {
    const isFilled = state.status === 'exited' && state.exitCode === 0 && state.finishedAt !== null;
    const isYoung = isFilled && now() - Date.parse(state.finishedAt ?? '') <= KEPT_MS;
    if (isYoung || holders.has(name)) return;
    await engine.removeContainer(name, { force: true });
    await engine.removeVolume(name);
  };

  return {
    ensure: async (paths, starting) => {
      const mine: string[] = [];
      const release = () => {
        for (const volume of mine.splice(0)) hold(volume, -1);
      };
      const note = (volume: string) => {
        mine.push(volume);
        hold(volume, 1);
      };
      try {
        const volumes = new Map<string, string>();
        for (const path of new Set(paths)) volumes.set(path, await ensureOne(path, starting, note));
        return { volumes, release };
      } catch (error) {
        release();
        throw error;
      }
    },
    sweep: async () => {
      const ours = await engine.listContainers(names.labels.installation);
      const details = (await Promise.all(ours.map(({ id }) => engine.inspectContainer(id)))).filter(
        (each) => each !== null,
      );
      const isInput = ({ labels }: ContainerDetail) => labels[label.input] !== undefined;
      const used = new Set(
        details.filter((each) => !isInput(each)).flatMap(({ mounts }) => mounts.map(({ name }) => name)),
      );
      for (const detail of details.filter(isInput)) {
        const key = detail.labels[label.input] ?? '';
        // Held ones may be in the middle of a copy that takes an hour, which nobody's clearing away waits for.
        if (!used.has(detail.name) && !holders.has(detail.name)) await serial(key, () => sweepOne(detail));
      }
    },
  };
}

interface Filling {
  path: string;
  files: InputFile[];
  key: string;
  volume: string;
}

async function fill(filling: Filling, starting: Starting, options: InputsOptions): Promise<void> {
  const { engine, names } = options;
  const { path, files, key, volume } = filling;
  const { signal, tell } = starting;
  const existing = await engine.inspectContainer(volume, { signal });
  if (existing?.state.status === 'exited' && existing.state.exitCode === 0) return;
  const labels = names.labels.input(key);
  // Somebody may have tidied up the containers that have ended; what the volume holds is checked anew.
  if (existing === null && (await engine.listVolumes(labels, { signal })).length > 0) {
    await engine.createContainer(volume, checkerBody(volume, labels, options), { signal });
    if (await passes(volume, signal, engine)) return;
  }
  // Cut off in its middle, or found damaged: begun anew.
  await engine.removeContainer(volume, { signal, force: true });
  await engine.removeVolume(volume, { signal });
  try {
    await engine.createContainer(volume, checkerBody(volume, labels, options), { signal });
    const packed = packInput(basename(path), files, roleUser, { tell, now: options.now });
    await engine.putArchive(volume, MOUNT, packed.tar, { signal, limitMs: COPY_MS }).catch((error: unknown) => {
      throw packed.error() ?? error;
    });
    if (await passes(volume, signal, engine)) return;
    throw new Error(
      `What was copied of ${path} into the volume ${volume} is damaged; it is copied anew. Look at the disk of the Docker host.`,
    );
  } catch (error) {
    // Half a model is of use to nobody; where this fails too the next sweep finds it.
    await engine.removeContainer(volume, { force: true }).catch(() => undefined);
    await engine.removeVolume(volume).catch(() => undefined);
    throw error;
  }
}

/** Runs the container that checks a volume, to its end. */
async function passes(volume: string, signal: AbortSignal, engine: DockerEngine): Promise<boolean> {
  const { exited } = await engine.waitForExit({ container: volume, condition: 'next-exit', signal });
  await engine.startContainer(volume, { signal });
  await exited;
  return (await engine.inspectContainer(volume, { signal }))?.state.exitCode === 0;
}

function checkerBody(volume: string, labels: Record<string, string>, { image, verify }: InputsOptions): ContainerBody {
  return {
    Image: image,
    Entrypoint: verify.slice(0, 1),
    Cmd: [...verify.slice(1), MOUNT],
    User: `${roleUser.uid}:${roleUser.gid}`,
    Labels: labels,
    Healthcheck: { Test: ['NONE'] },
    Env: ['NVIDIA_VISIBLE_DEVICES=void'],
    HostConfig: {
      NetworkMode: 'none',
      Mounts: [{ Type: 'volume', Source: volume, Target: MOUNT, VolumeOptions: { NoCopy: true, Labels: labels } }],
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: 256,
      Init: true,
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      LogConfig: { Type: 'local', Config: { 'max-size': '1m', 'max-file': '2' } },
    },
  };
}

/**
 * The files of a model or data set, by name below it. A file alone has its own name; a program comes with what it imports of its directory. Links are followed: a model
 * hub's cache is made of them.
 */
async function listInput(path: string): Promise<InputFile[]> {
  try {
    const found = await stat(path);
    if (!found.isDirectory()) {
      const alone = { name: '', path, size: found.size, modified: found.mtimeMs };
      return isProgram(path) ? [alone, ...(await listBeside(path))] : [alone];
    }
    const files: InputFile[] = [];
    for (const entry of (await readdir(path, { recursive: true })).sort()) {
      const file = await stat(join(path, entry));
      if (file.isFile()) files.push({ name: entry, path: join(path, entry), size: file.size, modified: file.mtimeMs });
    }
    return files;
  } catch (error) {
    if (error instanceof ImportRefusedError) throw new RoleRefusedError('user_error', error.message, { cause: error });
    const { code, path: at } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'ENOTDIR' && code !== 'ELOOP') throw error;
    const message = `${at ?? path}, which the run reads, cannot be read (${code}). Put it back, or name another one, then resume.`;
    throw new RoleRefusedError('user_error', message, { cause: error });
  }
}

async function listBeside(program: string): Promise<InputFile[]> {
  const names = await followImports(program);
  return Promise.all(
    names.map(async (name) => {
      const path = join(dirname(program), name);
      const { size, mtimeMs } = await stat(path);
      return { name: `../${name}`, path, size, modified: mtimeMs };
    }),
  );
}
