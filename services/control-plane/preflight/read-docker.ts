import type { DockerEngine } from '../runtimes/docker/engine/docker-engine.ts';
import { DockerError } from '../runtimes/docker/engine/docker-error.ts';
import { gpuDriverOf, showsGpus } from '../runtimes/docker/gpu-request.ts';
import type { Facts } from './facts.ts';

const LIMIT_MS = 5000;
/** Both versions of compose put it on what they start. */
const COMPOSE_LABEL = 'com.docker.compose.version';

const SOCKET = '/var/run/docker.sock';

/** The socket of the daemon, as DOCKER_HOST names it; where that is no socket, the usual one, since Tandem talks to this host's daemon only. */
export function dockerSocket({ DOCKER_HOST }: Readonly<Record<string, string | undefined>>): string {
  return /^unix:\/\/(\/.+)$/.exec(DOCKER_HOST ?? '')?.[1] ?? SOCKET;
}

type Engine = Pick<DockerEngine, 'version' | 'info' | 'listContainers'>;

/** The daemon and how it gives out GPUs. */
export async function readDocker(engine: Engine, signal: AbortSignal): Promise<Facts['docker']> {
  const limit = { signal: AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]) };
  try {
    const [{ version, apiVersion }, info] = await Promise.all([engine.version(limit), engine.info(limit)]);
    return { version, apiVersion, gpuDriver: gpuDriverOf(info), showsGpus: showsGpus(info) };
  } catch (error) {
    if (signal.aborted) throw error;
    if (limit.signal.aborted) return { failure: `the Docker daemon did not answer within ${LIMIT_MS / 1000} s` };
    if (error instanceof DockerError) return { failure: error.message.replace(/\.$/, '') };
    throw error;
  }
}

/** The compose that has started containers of this daemon: in a container there is no compose program to ask. */
export async function readComposeLabel(engine: Engine, signal: AbortSignal): Promise<string | null> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  try {
    const started = await engine.listContainers({ [COMPOSE_LABEL]: '' }, { signal: limit });
    return started[0]?.labels[COMPOSE_LABEL] ?? null;
  } catch (error) {
    if (signal.aborted) throw error;
    return null;
  }
}
