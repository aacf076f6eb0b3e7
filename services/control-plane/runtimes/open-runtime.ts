import { uptime } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '../../platform/logger.ts';
import type { ForeignContainer } from '../gpus/foreign-containers.ts';
import type { HomeFile } from '../home/home-file.ts';
import { hostInUrl } from '../listen.ts';
import type { Settings } from '../settings.ts';
import { StartError } from '../start-error.ts';
import { connectDocker } from './docker/connect-docker.ts';
import { createDockerRuntime } from './docker/docker-runtime.ts';
import { createOutputCollector } from './docker/engine/output-collector.ts';
import { listForeign } from './docker/list-foreign.ts';
import { engineVariables, handedOn } from './handed-on.ts';
import { createProcessRuntime } from './process/process-runtime.ts';
import type { Programs } from './role-specs.ts';
import type { Runtime } from './runtime.ts';

/** Where images of Tandem have it. */
const IN_IMAGE = '/opt/tandem/dist/services';
const SECOND = 1000;

export interface OpenRuntimeOptions {
  settings: Pick<Settings, 'home' | 'agentHost' | 'docker' | 's3'>;
  environment: Readonly<Record<string, string | undefined>>;
  homeFile: Pick<HomeFile, 'installation' | 'docker_daemon'>;
  version: string;
  /** The programs as this machine has them. */
  programs: Programs;
  /** Whether a server answers its health check. */
  isHealthy: (url: string) => Promise<boolean>;
  /** Told that something may have changed on the machine. */
  changed: () => void;
  now: () => number;
  log: Logger;
}

export interface OpenedRuntime {
  runtime: Runtime;
  /** Id of the Docker daemon, to be kept; null without one. */
  daemon: string | null;
  /** The containers of others that were given GPUs; null where nobody knows. */
  listForeign: ((signal: AbortSignal) => Promise<readonly ForeignContainer[]>) | null;
  /** The programs where roles find them. */
  programs: Programs;
  /** The address where the agent API listens. */
  agentHost: string;
  /** The agent API as trainers reach it. */
  agentUrl: (port: number) => string;
  close(): Promise<void>;
}

/** The runtime that the settings choose, ready to be used. @throws StartError with the remedy when it cannot be */
export async function openRuntime(options: OpenRuntimeOptions): Promise<OpenedRuntime> {
  const { settings, environment, programs, isHealthy, now } = options;
  const { home, docker } = settings;
  const work = join(home, 'work');
  const kept = join(home, 'output');
  if (docker !== null) return await openDocker(options, docker, { work, kept });
  const agentHost = settings.agentHost ?? '127.0.0.1';
  return {
    runtime: createProcessRuntime({ work, kept, environment, isHealthy, now }),
    daemon: null,
    listForeign: null,
    programs,
    agentHost,
    agentUrl: (port) => `http://${hostInUrl(agentHost)}:${port}`,
    close: async () => {},
  };
}

async function openDocker(
  { settings, environment, homeFile, version, changed, now, log }: OpenRuntimeOptions,
  docker: NonNullable<Settings['docker']>,
  { work, kept }: { work: string; kept: string },
): Promise<OpenedRuntime> {
  if (settings.s3 === null) {
    throw new StartError(
      'TANDEM_RUNTIME=docker needs an object store that containers can reach: set TANDEM_S3_ENDPOINT (compose/compose.yaml brings MinIO), or use TANDEM_RUNTIME=process',
    );
  }
  requireReachable(settings.s3.endpoint);
  const { installation } = homeFile;
  const { engine, daemon, gpuDriver, agentNetwork, gateway, ensureAgentNetwork, stopWatching } = await connectDocker({
    docker,
    installation,
    debug: environment['DEBUG'],
    changed,
    log,
  });
  if (homeFile.docker_daemon !== undefined && homeFile.docker_daemon !== daemon) {
    stopWatching();
    throw new StartError(
      `DOCKER_HOST: the runs of ${settings.home} are containers of another Docker daemon (${homeFile.docker_daemon}) than the one at ${docker.socketPath} (${daemon}): ` +
        `name that one's socket, or, when it is gone for good, remove "docker_daemon" from ${join(settings.home, 'home.json')}; its runs then go on from their newest checkpoints`,
    );
  }
  const collector = createOutputCollector({
    followLogs: engine.followLogs,
    tell: (container, error) =>
      log.warn(`What ${container} prints could not be followed; it is tried again.`, { error }),
  });
  const runtime = createDockerRuntime({
    engine,
    collector,
    daemon,
    installation,
    image: docker.image ?? `tandem:${version}`,
    handedOn: handedOn(environment, engineVariables),
    verify: ['node', `${IN_IMAGE}/control-plane/runtimes/docker/verify-input.js`],
    pool: docker.pool,
    agentNetwork,
    ensureAgentNetwork,
    gpuDriver,
    adapters: docker.adapters,
    gateway,
    work,
    kept,
    bootedAt: now() - uptime() * SECOND,
    changed,
    now,
    log,
  });
  const agentHost = settings.agentHost ?? gateway;
  return {
    runtime,
    daemon,
    listForeign: (signal) => listForeign(engine, installation, signal),
    programs: {
      node: 'node',
      inference: `${IN_IMAGE}/inference/main.js`,
      trainer: `${IN_IMAGE}/trainer/main.js`,
    },
    agentHost,
    agentUrl: (port) => docker.agentUrl ?? `http://${hostInUrl(agentHost)}:${port}`,
    close: async () => {
      stopWatching();
      await runtime.close();
    },
  };
}

/** Trainers send their checkpoints to the store themselves, from their containers. */
function requireReachable(endpoint: string): void {
  const { hostname } = new URL(endpoint);
  if (!/^(localhost|127\..*|\[::1\])$/.test(hostname)) return;
  throw new StartError(
    `TANDEM_S3_ENDPOINT: ${endpoint} is, seen from a container, the container itself; give the store's address in the containers' network, or that of this host`,
  );
}
