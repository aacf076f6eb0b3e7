import { rm } from 'node:fs/promises';
import { join, posix } from 'node:path';
import type { Logger } from '../../../platform/logger.ts';
import { serialByKey } from '../../../platform/serial-by-key.ts';
import { listKept, readTail } from '../kept-output.ts';
import {
  type ObservedRole,
  type RoleIdentity,
  RoleRefusedError,
  type RoleSpec,
  type Runtime,
  roleName,
  type Starting,
} from '../runtime.ts';
import { containerBody } from './container-body.ts';
import type { DockerEngine } from './engine/docker-engine.ts';
import { DockerError } from './engine/docker-error.ts';
import { readCursor } from './engine/log-cursor.ts';
import type { OutputCollector } from './engine/output-collector.ts';
import { createExits } from './exits.ts';
import type { GpuDriver } from './gpu-request.ts';
import { ensureImage } from './images.ts';
import { createInputs } from './inputs.ts';
import { attemptOf, createNames, label, roleOf } from './naming.ts';
import { createNetworks } from './networks.ts';
import { ADAPTERS, inferenceAddress, places, roleUser, seenAt } from './places.ts';
import { readContainer } from './read-container.ts';
import { removeShared } from './remove-shared.ts';
import type { Subnet } from './subnets.ts';
import { unlessAborted } from './unless-aborted.ts';
import { packPlace, readArchivedText, saveArchivedFile } from './workspace-files.ts';

export interface DockerRuntimeOptions {
  engine: DockerEngine;
  collector: OutputCollector;
  /** Id of the daemon that has the containers. */
  daemon: string;
  installation: string;
  /** Image of Tandem's own programs. */
  image: string;
  /** Variables of the control plane that the programs in it get, where a role does not say otherwise. */
  handedOn: Readonly<Record<string, string>>;
  /** Command in it that checks copied inputs. */
  verify: readonly string[];
  /** Where the subnets of pairs are taken from. */
  pool: Subnet;
  /** The network by which trainers reach the agent API and the object store. */
  agentNetwork: string;
  /** Makes that network again where somebody has removed it. */
  ensureAgentNetwork: () => Promise<void>;
  gpuDriver: GpuDriver | null;
  /** Directory of the host for adapters that a server of the user's own reads; null: there is none. */
  adapters: string | null;
  /** This host's address in the network of the agents. */
  gateway: string;
  /** Where copies of files of workspaces are put. */
  work: string;
  /** Where outputs are kept, by run. */
  kept: string;
  /** When the machine was started, in milliseconds since the epoch. */
  bootedAt: number;
  /** Told that a role has ended. */
  changed: () => void;
  now: () => number;
  log: Logger;
}

/**
 * Starts roles as containers. Everything it knows it reads from the daemon each time: names say what exists, labels whose it is. Containers, volumes and
 * networks without this installation's label are never touched.
 */
export function createDockerRuntime(options: DockerRuntimeOptions): Runtime & { close(): Promise<void> } {
  const { engine, collector, image, handedOn, gpuDriver, agentNetwork, work, kept, bootedAt, now, log } = options;
  const names = createNames(options.installation);
  const inputs = createInputs({ engine, names, image, verify: options.verify, now });
  const networks = createNetworks({ engine, names, pool: options.pool });
  const exits = createExits({ engine, changed: options.changed, log });
  const serial = serialByKey();
  const keptOutput = (identity: RoleIdentity) => join(kept, identity.run, `${roleName(identity)}.log`);
  const fetched = (identity: RoleIdentity) => join(work, identity.run, roleName(identity));
  const outsideDirectory = (attempt: Pick<RoleIdentity, 'run' | 'attempt'>) =>
    options.adapters && posix.join(options.adapters, names.attempt(attempt));
  const outsideOf = ({ identity, sharesWithHost }: RoleSpec) => {
    if (sharesWithHost !== true) return null;
    const directory = outsideDirectory(identity);
    if (directory === null) {
      const message =
        'Its inference server is one of your own, and TANDEM_ADAPTERS_DIR, the directory for what the two share, is no longer set. Set it again and resume.';
      throw new RoleRefusedError('user_error', message);
    }
    return { directory, address: options.gateway };
  };
  const inspect = (identity: RoleIdentity) => engine.inspectContainer(names.role(identity));

  /** Its exit and its output are followed from before its first instruction. */
  const follow = async (identity: RoleIdentity): Promise<void> => {
    await exits.watch(names.role(identity));
    collector.follow(names.role(identity), keptOutput(identity));
  };

  const create = async (spec: RoleSpec, starting: Starting): Promise<void> => {
    const { identity } = spec;
    const { signal } = starting;
    const used = spec.image ?? image;
    await ensureImage(used, starting, options);
    // What checks the copies is a program of ours, whatever the role's image is.
    if (spec.inputs.length > 0 && used !== image) await ensureImage(image, starting, options);
    await networks.ensurePair(identity, { signal });
    const held = await inputs.ensure(spec.inputs, starting);
    try {
      const outside = outsideOf(spec);
      const choice = { names, image: used, gpuDriver, inputVolumes: held.volumes, handedOn, outside };
      await engine.createContainer(names.role(identity), containerBody(spec, choice), { signal });
    } catch (error) {
      if (!(error instanceof DockerError && error.kind === 'name_taken')) throw error;
    } finally {
      held.release();
    }
  };

  const start = async (spec: RoleSpec, starting: Starting): Promise<void> => {
    const { identity } = spec;
    const name = names.role(identity);
    const { signal } = starting;
    const existing = await engine.inspectContainer(name, { signal });
    if (existing !== null && existing.state.startedAt !== null) return;
    if (spec.gpus.length > 0 && gpuDriver === null) {
      const message =
        'The Docker daemon has no way to give GPUs to containers: neither the NVIDIA runtime nor CDI is set up.';
      throw new RoleRefusedError('gpu_unavailable', message);
    }
    if (existing === null) await create(spec, starting);
    if (identity.role === 'trainer') {
      await options.ensureAgentNetwork();
      await engine.connectNetwork(agentNetwork, name, {}, { signal });
    }
    const own = { directories: ['work', 'home'], files: prefixed('work', spec.files) };
    await engine.putArchive(name, places.own, packPlace(own, roleUser), { signal });
    if (identity.role === 'trainer') {
      const outside = outsideOf(spec);
      // A server of the user's own may be another user on the host.
      const shared = packPlace({ directories: [ADAPTERS], files: {} }, roleUser, outside === null ? 0o700 : 0o755);
      await engine.putArchive(name, outside?.directory ?? places.shared, shared, { signal });
    }
    if (spec.caches !== undefined) {
      const caches = packPlace({ directories: spec.caches, files: {} }, roleUser);
      await engine.putArchive(name, places.compileCache, caches, { signal });
    }
    await unlessAborted(exits.watch(name), signal);
    await engine.startContainer(name, { signal });
    await follow(identity);
  };

  let isSureOfDaemon = true;
  /** After a break another daemon may listen there, to which all containers would seem to be gone. */
  const requireDaemon = async (): Promise<void> => {
    if (isSureOfDaemon) return;
    const { id } = await engine.info();
    if (id !== options.daemon)
      throw new Error(
        `Another Docker daemon (${id}) listens where ${options.daemon} did; nothing is concluded from what it does not know.`,
      );
    isSureOfDaemon = true;
  };

  const observe = async (): Promise<ObservedRole[]> => {
    await requireDaemon();
    const listed = await engine.listContainers({ ...names.labels.installation, [label.role]: '' });
    const roles = await Promise.all(
      listed.map(async ({ id, labels }): Promise<ObservedRole | null> => {
        const identity = roleOf(labels);
        const detail = identity && (await engine.inspectContainer(id));
        if (identity === null || detail === null) return null;
        if (detail.state.running) await follow(identity);
        return readContainer(identity, detail.state, bootedAt);
      }),
    );
    const found = roles.filter((role) => role !== null);
    return [...found, ...exits.vanished(new Set(found.map(({ identity }) => names.role(identity))))];
  };

  return {
    observe: () =>
      observe().catch((error: unknown) => {
        isSureOfDaemon = false;
        throw error;
      }),

    start: (spec, starting = unwatched()) =>
      serial(names.role(spec.identity), () =>
        start(spec, starting).catch((error: unknown) => {
          throw refusal(error) ?? error;
        }),
      ),

    signal: (identity, signal) => engine.killContainer(names.role(identity), signal),

    remove: async (identity) => {
      const detail = await inspect(identity);
      if (detail?.state.running) {
        throw new Error(`${roleName(identity)} still runs; it is stopped before its container is removed`);
      }
      if (detail !== null) await collector.finish(names.role(identity), keptOutput(identity));
      // Before the container: without one nobody comes again for what a control plane that dies here leaves.
      await rm(fetched(identity), { recursive: true, force: true });
      await engine.removeContainer(names.role(identity));
      await engine.removeVolume(names.role(identity));
      exits.forget(names.role(identity));
    },

    workspace: () => places.workspace,
    sharedDirectory: (attempt, withHost = false) => {
      const outside = withHost ? outsideDirectory(attempt) : null;
      return outside === null ? places.adapters : posix.join(outside, ADAPTERS);
    },

    removeShared: async (attempt) => {
      await removeShared(attempt, {
        engine,
        names,
        image,
        ensureImage: () => ensureImage(image, unwatched(), options),
      });
      await inputs.sweep();
    },

    listShared: async () => {
      const labels = { ...names.labels.installation, [label.attempt]: '' };
      const [volumes, pairs] = await Promise.all([engine.listVolumes(labels), engine.listNetworks(labels)]);
      const attempts = [...volumes, ...pairs].map((each) => attemptOf(each.labels)).filter((each) => each !== null);
      return [...new Map(attempts.map((each) => [`${each.run}.a${each.attempt}`, each])).values()];
    },

    forgetOutput: (run) => rm(join(kept, run), { recursive: true, force: true }),

    seenAt,
    listenAt: inferenceAddress,

    serving: async (identity) => {
      const detail = await inspect(identity);
      if (detail?.state.running !== true || detail.state.health !== 'healthy') return null;
      return `http://${inferenceAddress.alias}:${inferenceAddress.port}/v1`;
    },

    fetchFile: async (identity, path) => {
      const copy = join(fetched(identity), path);
      try {
        const tar = await engine.getArchive(names.role(identity), `${places.workspace}/${path}`);
        return tar !== null && (await saveArchivedFile(tar, copy)) ? copy : null;
      } catch (error) {
        if (!isHopeless(error)) throw error;
        log.warn(`${path} of ${roleName(identity)} is lost: the daemon cannot give it out.`, { error });
        return null;
      }
    },

    readFile: async (identity, path) => {
      const tar = await engine.getArchive(names.role(identity), `${places.workspace}/${path}`);
      return tar === null ? null : await readArchivedText(tar);
    },

    outputs: async (run) =>
      await Promise.all(
        (await listKept(kept, run)).map(async ({ identity, path }) => {
          return { identity, path, ended: (await readCursor(path)) === 'finished' };
        }),
      ),

    output: async (identity, bytes) => {
      const detail = await inspect(identity);
      if (detail !== null && !detail.state.running && detail.state.startedAt !== null) {
        await collector.finish(names.role(identity), keptOutput(identity));
      }
      return (await readTail(keptOutput(identity), bytes)) ?? '';
    },

    close: async () => {
      exits.close();
      await collector.close();
    },
  };
}

/** The daemon has answered that it cannot, and would answer so again: the container's log or disk is broken. */
function isHopeless(error: unknown): boolean {
  return error instanceof DockerError && (error.kind === 'failed' || error.kind === 'conflict');
}

function unwatched(): Starting {
  return { signal: new AbortController().signal, tell: () => {} };
}

/** A start that fails in the same way as often as it is tried; null for one that may work the next time. */
function refusal(error: unknown): RoleRefusedError | null {
  if (!(error instanceof DockerError) || !['failed', 'invalid', 'not_found'].includes(error.kind)) return null;
  if (/no space left on device|disk quota exceeded/i.test(error.message)) {
    return new RoleRefusedError('disk_full', `${error.message}. Free space on the disk of the Docker host.`, {
      cause: error,
    });
  }
  if (/nvidia|could not select device driver|CDI device|cdi\./i.test(error.message)) {
    return new RoleRefusedError('gpu_unavailable', `${error.message}.`, { cause: error });
  }
  if (/executable file not found|no such file or directory|exec format error/i.test(error.message)) {
    return new RoleRefusedError('image_unavailable', `${error.message}.`, { cause: error });
  }
  return null;
}

function prefixed(directory: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${directory}/${name}`, content]));
}
