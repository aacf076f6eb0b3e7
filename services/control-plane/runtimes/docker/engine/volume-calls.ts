import { type Caller, otherwise } from './call.ts';
import { type Client, create, labelFilters, pathPart, type VolumeAnswer } from './client.ts';
import type { EngineCalls } from './docker-engine.ts';
import type { ListedVolume } from './engine-types.ts';

type VolumeCalls = Pick<EngineCalls, 'listVolumes' | 'createVolume' | 'removeVolume'>;

const READ_MS = 30_000;
/** Removing one deletes its files. */
const CHANGE_MS = 300_000;

export function createVolumeCalls(client: Client, call: Caller): VolumeCalls {
  return {
    listVolumes: async (labels, { signal } = {}) => {
      const { Volumes } = await call({
        what: 'list volumes',
        limitMs: READ_MS,
        signal,
        send: (abortSignal) => client.listVolumes({ filters: labelFilters(labels), abortSignal }),
      });
      return (Volumes ?? []).map(volumeOf);
    },

    createVolume: async (body, { signal } = {}) => {
      const created = await call({
        what: `create volume ${body.Name}`,
        limitMs: CHANGE_MS,
        signal,
        send: (abortSignal) => create<VolumeAnswer>(client, { kind: 'volumes', body, abortSignal }),
      });
      return volumeOf(created);
    },

    removeVolume: async (volume, { signal } = {}) => {
      const removal = call({
        what: `remove volume ${volume}`,
        limitMs: CHANGE_MS,
        signal,
        send: async (abortSignal) => void (await client.getVolume(pathPart(volume)).remove({ abortSignal })),
      });
      await otherwise(removal, ['not_found'], undefined);
    },
  };
}

function volumeOf({ Name, Labels, Mountpoint }: VolumeAnswer): ListedVolume {
  return { name: Name, labels: Labels ?? {}, mountpoint: Mountpoint };
}
