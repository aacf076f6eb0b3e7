import { type Caller, otherwise } from './call.ts';
import { type Client, create, labelFilters, type NetworkAnswer, pathPart } from './client.ts';
import type { EngineCalls } from './docker-engine.ts';
import { DockerError } from './docker-error.ts';
import type { ListedNetwork } from './engine-types.ts';

type NetworkCalls = Pick<
  EngineCalls,
  'listNetworks' | 'inspectNetwork' | 'createNetwork' | 'connectNetwork' | 'removeNetwork'
>;

const READ_MS = 30_000;
const CHANGE_MS = 60_000;

export function createNetworkCalls(client: Client, call: Caller): NetworkCalls {
  const of = (network: string) => client.getNetwork(pathPart(network));
  return {
    listNetworks: async (labels, { signal } = {}) => {
      const listed = await call({
        what: 'list networks',
        limitMs: READ_MS,
        signal,
        send: (abortSignal) => client.listNetworks({ filters: labelFilters(labels), abortSignal }),
      });
      return listed.map(networkOf);
    },

    inspectNetwork: async (network, { signal } = {}) => {
      const inspection = call({
        what: `inspect network ${network}`,
        limitMs: READ_MS,
        signal,
        send: (abortSignal) => of(network).inspect({ abortSignal }),
      });
      const info = await otherwise(inspection, ['not_found'], null);
      return info === null ? null : networkOf(info);
    },

    createNetwork: async (body, { signal } = {}) => {
      const created = await call({
        what: `create network ${body.Name}`,
        limitMs: CHANGE_MS,
        signal,
        // Docker makes a second network of the same name unless it is told to look.
        send: (abortSignal) =>
          create<{ Id: string }>(client, { kind: 'networks', body: { ...body, CheckDuplicate: true }, abortSignal }),
      });
      return { id: created.Id };
    },

    connectNetwork: async (network, container, endpoint = {}, { signal } = {}) => {
      const connection = call({
        what: `connect container ${container} to network ${network}`,
        limitMs: CHANGE_MS,
        signal,
        send: async (abortSignal) =>
          void (await of(network).connect({ Container: container, EndpointConfig: endpoint, abortSignal })),
      });
      await connection.catch((error: unknown) => {
        if (!(error instanceof DockerError && /already exists in network|already attached/.test(error.message)))
          throw error;
      });
    },

    removeNetwork: async (network, { signal } = {}) => {
      const removal = call({
        what: `remove network ${network}`,
        limitMs: CHANGE_MS,
        signal,
        send: async (abortSignal) => void (await of(network).remove({ abortSignal })),
      });
      await otherwise(removal, ['not_found'], undefined);
    },
  };
}

function networkOf(info: NetworkAnswer): ListedNetwork {
  return {
    id: info.Id,
    name: info.Name,
    labels: info.Labels ?? {},
    driver: info.Driver,
    internal: info.Internal,
    subnets: (info.IPAM?.Config ?? []).map(({ Subnet, Gateway }) => ({
      subnet: Subnet ?? '',
      gateway: Gateway ?? null,
    })),
  };
}
