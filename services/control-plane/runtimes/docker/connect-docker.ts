import type { Logger } from '../../../platform/logger.ts';
import { StartError } from '../../start-error.ts';
import { RoleRefusedError } from '../runtime.ts';
import type { DockerSettings } from './docker-settings.ts';
import { createDockerEngine } from './engine/create-docker-engine.ts';
import type { DockerEngine } from './engine/docker-engine.ts';
import { DockerError } from './engine/docker-error.ts';
import type { NetworkBody } from './engine/engine-types.ts';
import { refuseDebug } from './engine/refuse-debug.ts';
import { type GpuDriver, gpuDriverOf } from './gpu-request.ts';
import { createNames, label } from './naming.ts';

/** Docker 20.10: the first engine with `DeviceRequests` that behave, and the oldest that is looked after anywhere. */
const OLDEST_API = [1, 41] as const;

export interface ConnectedDocker {
  engine: DockerEngine;
  /** Id of the daemon. */
  daemon: string;
  gpuDriver: GpuDriver | null;
  /** The network by which trainers reach the agent API. */
  agentNetwork: string;
  /** This host's address in it. */
  gateway: string;
  /** Makes that network again, with the same addresses, where somebody has removed it. */
  ensureAgentNetwork: () => Promise<void>;
  stopWatching: () => void;
}

/** Talks to the daemon for the first time, and makes the network of the agents where it is ours to make. @throws StartError with the remedy */
export async function connectDocker({
  docker,
  installation,
  debug,
  changed,
  log,
}: {
  docker: DockerSettings;
  installation: string;
  /** `DEBUG` of the environment. */
  debug: string | undefined;
  changed: () => void;
  log: Logger;
}): Promise<ConnectedDocker> {
  const refusal = refuseDebug(debug);
  if (refusal !== null) throw new StartError(refusal);
  const engine = createDockerEngine({ socketPath: docker.socketPath });
  const names = createNames(installation);
  try {
    const { version, apiVersion } = await engine.version();
    requireApi(version, apiVersion);
    const info = await engine.info();
    const agentNetwork = docker.agentNetwork ?? names.agents;
    const isOurs = docker.agentNetwork === null;
    const body = { Name: agentNetwork, Driver: 'bridge', Labels: names.labels.installation };
    const { gateway, subnet } = await ensureAgents(engine, body, isOurs);
    const ensureAgentNetwork = async () => {
      if ((await engine.inspectNetwork(agentNetwork)) !== null) return;
      if (!isOurs) throw new RoleRefusedError('user_error', noNetwork(agentNetwork));
      log.warn(`The Docker network ${agentNetwork} is gone; it is made again.`);
      await createOnce(engine, { ...body, IPAM: { Config: [{ Subnet: subnet, Gateway: gateway }] } });
    };
    const watching = new AbortController();
    void engine.watchEvents({
      // Health checks are events too, several each second.
      filters: {
        type: ['container'],
        label: [`${label.installation}=${installation}`],
        event: ['create', 'start', 'die', 'oom', 'destroy', 'health_status'],
      },
      onEvent: changed,
      onResync: changed,
      signal: watching.signal,
    });
    const gpuDriver = gpuDriverOf(info);
    log.info(`Docker ${version} (API ${apiVersion}) at ${docker.socketPath}; GPUs: ${gpuDriver ?? 'none'}`);
    return {
      ...{ engine, daemon: info.id, gpuDriver, agentNetwork, gateway, ensureAgentNetwork },
      stopWatching: () => watching.abort(),
    };
  } catch (error) {
    if (error instanceof DockerError) throw new StartError(`TANDEM_RUNTIME=docker: ${error.message}`, { cause: error });
    throw error;
  }
}

function requireApi(version: string, apiVersion: string): void {
  const [major = 0, minor = 0] = apiVersion.split('.').map(Number);
  if (major > OLDEST_API[0] || (major === OLDEST_API[0] && minor >= OLDEST_API[1])) return;
  throw new StartError(
    `Docker ${version} speaks API ${apiVersion}; Tandem needs 20.10 (API ${OLDEST_API.join('.')}) or newer`,
  );
}

async function ensureAgents(
  engine: DockerEngine,
  body: NetworkBody,
  isOurs: boolean,
): Promise<{ gateway: string; subnet: string }> {
  const name = body.Name;
  let network = await engine.inspectNetwork(name);
  if (network === null && isOurs) {
    await createOnce(engine, body);
    network = await engine.inspectNetwork(name);
  }
  if (network === null) throw new StartError(`TANDEM_AGENT_NETWORK: ${noNetwork(name)}`);
  const found = network.subnets.find((each) => each.gateway !== null);
  if (found?.gateway == null) {
    throw new StartError(
      `TANDEM_AGENT_NETWORK: the Docker network ${name} has no gateway; give one of the driver bridge, or leave the setting out`,
    );
  }
  return { gateway: found.gateway, subnet: found.subnet };
}

async function createOnce(engine: DockerEngine, body: NetworkBody): Promise<void> {
  await engine.createNetwork(body).catch((error: unknown) => {
    if (!(error instanceof DockerError && error.kind === 'name_taken')) throw error;
  });
}

function noNetwork(name: string): string {
  return `there is no Docker network ${name}; make it (docker network create ${name}), or leave TANDEM_AGENT_NETWORK out`;
}
