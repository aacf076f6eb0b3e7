import { addAbortSignal, Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type Docker from 'dockerode';
import { type Caller, otherwise } from './call.ts';
import { type Client, create, labelFilters, pathPart } from './client.ts';
import type { EngineCalls } from './docker-engine.ts';
import { DockerError } from './docker-error.ts';
import type { ContainerDetail, ContainerStatus } from './engine-types.ts';

type ContainerCalls = Pick<
  EngineCalls,
  | 'listContainers'
  | 'inspectContainer'
  | 'createContainer'
  | 'startContainer'
  | 'killContainer'
  | 'removeContainer'
  | 'putArchive'
  | 'getArchive'
>;

const READ_MS = 30_000;
/** A container on a slow disk, or one that waits for the GPU driver. */
const CHANGE_MS = 120_000;
const COPY_MS = 600_000;
const REMOVE_TRIES = 5;
const REMOVE_PAUSE_MS = 500;
/** What Docker writes for a time that never was. */
const NEVER = '0001-01-01T00:00:00Z';

export function createContainerCalls(client: Client, call: Caller): ContainerCalls {
  const of = (container: string) => client.getContainer(pathPart(container));

  const remove: ContainerCalls['removeContainer'] = async (container, { force = false, signal } = {}) => {
    for (let attempt = 1; ; attempt += 1) {
      const removal = call({
        what: `remove container ${container}`,
        limitMs: CHANGE_MS,
        signal,
        send: async (abortSignal) => void (await of(container).remove({ force, v: true, abortSignal })),
      });
      try {
        return await otherwise(removal, ['not_found'], undefined);
      } catch (error) {
        // Somebody else removes it; only when it is gone may its name be used again.
        const underWay =
          error instanceof DockerError && error.status === 409 && /already in progress/.test(error.message);
        if (!underWay || attempt === REMOVE_TRIES) throw error;
        await delay(REMOVE_PAUSE_MS, undefined, { signal });
      }
    }
  };

  return {
    listContainers: async (labels, { signal } = {}) => {
      const filters = labelFilters(labels);
      const listed = await call({
        what: 'list containers',
        limitMs: READ_MS,
        signal,
        send: (abortSignal) => client.listContainers({ all: true, filters, abortSignal }),
      });
      return listed.map(({ Id, Names, Labels, State }) => ({
        id: Id,
        name: bare(Names[0] ?? ''),
        labels: Labels ?? {},
        state: State as ContainerStatus,
      }));
    },

    inspectContainer: async (container, { signal } = {}) => {
      const inspection = call({
        what: `inspect container ${container}`,
        limitMs: READ_MS,
        signal,
        send: (abortSignal) => of(container).inspect({ abortSignal }),
      });
      const info = await otherwise(inspection, ['not_found'], null);
      return info === null ? null : detailOf(info);
    },

    createContainer: async (name, body, { signal } = {}) => {
      const env = (body.Env ?? []).flatMap((entry) => [entry, entry.slice(entry.indexOf('=') + 1)]);
      const created = await call({
        what: `create container ${name}`,
        limitMs: CHANGE_MS,
        signal,
        secrets: env.filter((value) => value.length >= 8),
        send: (abortSignal) =>
          create<{ Id: string; Warnings?: string[] | null }>(client, {
            kind: 'containers',
            query: { name },
            body,
            abortSignal,
          }),
      });
      return { id: created.Id, warnings: created.Warnings ?? [] };
    },

    startContainer: async (container, { signal } = {}) => {
      const start = call({
        what: `start container ${container}`,
        limitMs: CHANGE_MS,
        signal,
        send: async (abortSignal) => void (await of(container).start({ abortSignal })),
      });
      await start.catch((error: unknown) => {
        if (!(error instanceof DockerError && error.status === 304)) throw error;
      });
    },

    killContainer: async (container, name, { signal } = {}) => {
      const kill = call({
        what: `send SIG${name} to container ${container}`,
        limitMs: READ_MS,
        signal,
        send: async (abortSignal) => void (await of(container).kill({ signal: `SIG${name}`, abortSignal })),
      });
      await otherwise(kill, ['not_found', 'conflict'], undefined);
    },

    removeContainer: remove,

    putArchive: async (container, path, tar, { signal, limitMs = COPY_MS } = {}) => {
      try {
        await call({
          what: `copy into container ${container} at ${path}`,
          limitMs,
          once: true,
          signal,
          send: async (abortSignal) => void (await of(container).putArchive(tar, { path, abortSignal })),
        });
      } finally {
        tar.destroy();
      }
    },

    getArchive: async (container, path, { signal } = {}) => {
      const answer = call({
        what: `copy ${path} out of container ${container}`,
        limitMs: COPY_MS,
        signal,
        send: (abortSignal) => of(container).getArchive({ path, abortSignal }),
      });
      const stream = await otherwise(answer, ['not_found'], null);
      if (stream === null) return null;
      if (!(stream instanceof Readable))
        throw new DockerError('failed', `copy ${path} out of container ${container}: no stream`);
      return signal === undefined ? stream : addAbortSignal(signal, stream);
    },
  };
}

function detailOf(info: Docker.ContainerInspectInfo): ContainerDetail {
  const { State: state, NetworkSettings, HostConfig } = info;
  return {
    id: info.Id,
    name: bare(info.Name),
    labels: info.Config.Labels ?? {},
    imageId: info.Image,
    state: {
      status: state.Status as ContainerStatus,
      running: state.Running,
      oomKilled: state.OOMKilled,
      pid: state.Pid,
      exitCode: state.ExitCode,
      error: state.Error,
      startedAt: timeOf(state.StartedAt),
      finishedAt: timeOf(state.FinishedAt),
      health: healthOf(state.Health?.Status),
      healthLog: (state.Health?.Log ?? []).map(({ ExitCode, Output }) => ({ exitCode: ExitCode, output: Output })),
    },
    runtime: HostConfig.Runtime ?? '',
    visibleDevices: lastValue(info.Config.Env ?? [], 'NVIDIA_VISIBLE_DEVICES'),
    deviceRequests: (HostConfig.DeviceRequests ?? []).map(({ DeviceIDs, Count }) => ({
      ids: DeviceIDs ?? [],
      count: Count ?? 0,
    })),
    networks: Object.fromEntries(
      Object.entries(NetworkSettings.Networks ?? {}).map(([name, { NetworkID, IPAddress, Gateway }]) => [
        name,
        { networkId: NetworkID, address: IPAddress, gateway: Gateway },
      ]),
    ),
    mounts: (info.Mounts ?? []).map(({ Type, Name, Source, Destination, RW }) => ({
      type: Type,
      name: Name ?? null,
      source: Source,
      destination: Destination,
      writable: RW,
    })),
    logDriver: HostConfig.LogConfig?.Type ?? '',
  };
}

/** The value of a variable that is given last, as it is for the program. */
function lastValue(env: readonly string[], name: string): string | null {
  const found = env.filter((each) => each.startsWith(`${name}=`)).at(-1);
  return found === undefined ? null : found.slice(name.length + 1);
}

function bare(name: string): string {
  return name.replace(/^\//, '');
}

function timeOf(time: string): string | null {
  return time === NEVER || time === '' ? null : time;
}

function healthOf(status: string | undefined): ContainerDetail['state']['health'] {
  return status === 'starting' || status === 'healthy' || status === 'unhealthy' ? status : null;
}
