import { type Caller, otherwise } from './call.ts';
import type { Client } from './client.ts';
import type { EngineCalls } from './docker-engine.ts';
import { DockerError } from './docker-error.ts';

type ServiceCalls = Pick<EngineCalls, 'info' | 'version' | 'ping' | 'inspectImage'>;

const ANSWER_MS = 10_000;
const READ_MS = 30_000;

export function createServiceCalls(client: Client, call: Caller): ServiceCalls {
  return {
    info: async ({ signal } = {}) => {
      const info = await call({
        what: 'ask what the host has',
        limitMs: READ_MS,
        signal,
        send: (abortSignal) => client.info({ abortSignal }),
      });
      return {
        id: info.ID ?? '',
        serverVersion: info.ServerVersion ?? '',
        cgroupVersion: info.CgroupVersion ?? '',
        liveRestore: info.LiveRestoreEnabled ?? false,
        runtimes: Object.keys(info.Runtimes ?? {}),
        defaultRuntime: info.DefaultRuntime ?? '',
        cdiDirectories: info.CDISpecDirs ?? [],
        cdiDevices: (info.DiscoveredDevices ?? []).flatMap(({ Source, ID }) => (Source === 'cdi' && ID ? [ID] : [])),
        securityOptions: info.SecurityOptions ?? [],
        memory: info.MemTotal ?? 0,
        cpus: info.NCPU ?? 0,
        dataRoot: info.DockerRootDir ?? '',
      };
    },

    version: async ({ signal } = {}) => {
      const version = await call({
        what: 'ask for the version',
        limitMs: ANSWER_MS,
        signal,
        send: (abortSignal) => client.version({ abortSignal }),
      });
      return { version: version.Version, apiVersion: version.ApiVersion, minApiVersion: version.MinAPIVersion };
    },

    ping: async ({ signal } = {}) => {
      await call({ what: 'ping', limitMs: ANSWER_MS, signal, send: (abortSignal) => client.ping({ abortSignal }) });
    },

    inspectImage: async (reference, { signal } = {}) => {
      // dockerode puts it into the path as it is, and its slashes belong there.
      if (!/^[\w./:@+-]+$/.test(reference) || reference.includes('..')) {
        throw new DockerError(
          'invalid',
          `inspect image ${JSON.stringify(reference)}: this is not the name of an image.`,
        );
      }
      const inspection = call({
        what: `inspect image ${reference}`,
        limitMs: READ_MS,
        signal,
        send: (abortSignal) => client.getImage(reference).inspect({ abortSignal }),
      });
      const info = await otherwise(inspection, ['not_found'], null);
      if (info === null) return null;
      const entrypoint = info.Config?.Entrypoint ?? [];
      return {
        id: info.Id,
        digests: info.RepoDigests ?? [],
        tags: info.RepoTags ?? [],
        entrypoint: typeof entrypoint === 'string' ? [entrypoint] : entrypoint,
        user: info.Config?.User ?? '',
        env: info.Config?.Env ?? [],
        size: info.Size,
      };
    },
  };
}
