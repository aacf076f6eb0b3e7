import { createCaller } from './call.ts';
import { createClient } from './client.ts';
import { createContainerCalls } from './container-calls.ts';
import type { EngineCalls } from './docker-engine.ts';
import { createNetworkCalls } from './network-calls.ts';
import { createServiceCalls } from './service-calls.ts';
import { createVolumeCalls } from './volume-calls.ts';

/** Talks to the Docker daemon of this host. Opens nothing by itself; connections end with what needs them. */
export function createDockerEngine({ socketPath }: { socketPath: string }): EngineCalls {
  const client = createClient(socketPath);
  const call = createCaller(socketPath);
  return {
    ...createServiceCalls(client, call),
    ...createContainerCalls(client, call),
    ...createNetworkCalls(client, call),
    ...createVolumeCalls(client, call),
  };
}
