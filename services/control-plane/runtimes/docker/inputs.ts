import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { serialByKey } from '../../../platform/serial-by-key.ts';
import type { Starting } from '../runtime.ts';
import type { DockerEngine } from './engine/docker-engine.ts';
import type { ContainerBody } from './engine/engine-types.ts';
import { type InputFile, packInput } from './input-archive.ts';
import { label, type Names } from './naming.ts';
import { hash, roleUser } from './places.ts';

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

/** Models and data sets, each copied once into a volume of its own. */
export interface Inputs {
  /** The volume that holds each path, by path; copies what is not there yet. */
  ensure(paths: readonly string[], starting: Starting): Promise<Map<string, string>>;
  /** Removes those that are in no container and were filled long ago. */
  sweep(): Promise<void>;
}

/**
 * Copies go through the daemon, so they work as well from a control plane that is itself in a container. A volume is complete when the container that checked
 * its hashes has ended with 0: that container stays as the mark of it, and no state is kept anywhere else. A changed file makes another volume.
 */
export function createInputs(options: InputsOptions): Inputs {
  const { engine, names, now } = options;
  const serial = serialByKey();

  const ensureOne = async (path: string, starting: Starting): Promise<string> => {
    const files = await listInput(path);
    const key = hash(JSON.stringify([path, files.map(({ name, size, modified }) => [name, size, modified])]));
    const volume = names.input(key);
    await serial(key, () => fill({ path, files, key, volume }, starting, options));
    return volume;
  };

  return {
    ensure: async (paths, starting) => {
      const volumes = new Map<string, string>();
      for (const path of new Set(paths)) volumes.set(path, await ensureOne(path, starting));
      return volumes;
    },
    sweep: async () => {
      const ours = await engine.listContainers(names.labels.installation);
      const details = (await Promise.all(ours.map(({ id }) => engine.inspectContainer(id)))).filter(
        (each) => each !== null,
      );
      const used = new Set(
        details
          .filter(({ labels }) => labels[label.input] === undefined)
          .flatMap(({ mounts }) => mounts.map(({ name }) => name)),
      );
      for (const { name, labels, state } of details) {
        const old = state.finishedAt !== null && now() - Date.parse(state.finishedAt) > KEPT_MS;
        if (labels[label.input] === undefined || !old || used.has(name)) continue;
        await engine.removeContainer(name);
        await engine.removeVolume(name);
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
  // Cut off in its middle, or found damaged: begun anew.
  await engine.removeContainer(volume, { signal, force: true });
  await engine.removeVolume(volume, { signal });
  await engine.createContainer(volume, checkerBody(volume, names.labels.input(key), options), { signal });
  const tar = packInput(basename(path), files, roleUser, { tell, now: options.now });
  await engine.putArchive(volume, MOUNT, tar, { signal, limitMs: COPY_MS });
  const { exited } = await engine.waitForExit({ container: volume, condition: 'next-exit', signal });
  await engine.startContainer(volume, { signal });
  await exited;
  if ((await engine.inspectContainer(volume, { signal }))?.state.exitCode === 0) return;
  throw new Error(
    `What was copied of ${path} into the volume ${volume} is damaged; it is copied anew. Look at the disk of the Docker host.`,
  );
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

/** The files of a model or data set, by name below it; a file alone has its own name. Links are followed: a model hub's cache is made of them. */
async function listInput(path: string): Promise<InputFile[]> {
  const found = await stat(path);
  if (!found.isDirectory()) return [{ name: '', path, size: found.size, modified: found.mtimeMs }];
  const files: InputFile[] = [];
  for (const entry of (await readdir(path, { recursive: true })).sort()) {
    const file = await stat(join(path, entry));
    if (file.isFile()) files.push({ name: entry, path: join(path, entry), size: file.size, modified: file.mtimeMs });
  }
  return files;
}
