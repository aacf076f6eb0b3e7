import { createCaller } from './call.ts';
import { createClient } from './client.ts';
import { createContainerCalls } from './container-calls.ts';
import type { DockerEngine } from './docker-engine.ts';
import { followLogs } from './follow-logs.ts';
import { createNetworkCalls } from './network-calls.ts';
import { pullImage } from './pull-image.ts';
import { createServiceCalls } from './service-calls.ts';
import { createVolumeCalls } from './volume-calls.ts';
import { waitForExit } from './wait-for-exit.ts';
import { watchEvents } from './watch-events.ts';

/** Talks to the Docker daemon of this host. Opens nothing by itself; connections end with what needs them. */
export function createDockerEngine({ socketPath }: { socketPath: string }): DockerEngine {
  const client = createClient(socketPath);
  const call = createCaller(socketPath);
  const service = createServiceCalls(client, call);
  return {
    ...service,
    ...createContainerCalls(client, call),
    ...createNetworkCalls(client, call),
    ...createVolumeCalls(client, call),
    followLogs: (options) => followLogs(socketPath, options),
    watchEvents: (options) => watchEvents(socketPath, options),
    waitForExit: (options) => waitForExit(socketPath, options),
    pullImage: (options) =>
      pullImage(socketPath, (name) => service.inspectImage(name, { signal: options.signal }), options),
  };
}
