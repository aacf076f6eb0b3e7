import type { Preflight } from '../../contracts/preflight.ts';
import type { ReadInventory } from '../gpus/gpu.service.ts';
import type { DockerEngine } from '../runtimes/docker/engine/docker-engine.ts';
import type { Facts, GpuProbeAnswer, PortFact } from './facts.ts';
import { probeGpus } from './gpu-probe.ts';
import { judge } from './judge.ts';
import { readComposeProgram } from './read-compose.ts';
import { readComposeLabel, readDocker } from './read-docker.ts';
import { readAdapters, readDisks, readKeys, readMemory, readSystem } from './read-host.ts';

export interface PreflightOptions {
  runtime: Facts['runtime'];
  environment: Readonly<Record<string, string | undefined>>;
  engine: DockerEngine;
  /** Of Tandem's own programs: the probe runs in it. */
  image: string;
  inventory: () => Promise<ReadInventory>;
  /** Where much is written. */
  paths: readonly string[];
  ports: () => Promise<readonly PortFact[]>;
}

/** Looks at everything on the host that runs need, and judges it. */
export async function preflight(
  options: PreflightOptions,
  { probe, signal }: { probe: boolean; signal: AbortSignal },
): Promise<Preflight> {
  const { runtime, environment, engine, inventory, paths, ports } = options;
  const adapters = runtime === 'docker' ? environment['TANDEM_ADAPTERS_DIR'] : undefined;
  const [docker, compose, gpus, disks, portFacts, adaptersFact] = await Promise.all([
    readDocker(engine, signal),
    readComposeProgram(environment, signal).then((version) => version ?? readComposeLabel(engine, signal)),
    inventory(),
    readDisks(paths),
    ports(),
    adapters ? readAdapters(adapters) : null,
  ]);
  return judge({
    system: readSystem(),
    runtime,
    docker,
    compose,
    gpus,
    gpusLeftOut: environment['TANDEM_GPUS'] === 'none',
    probe: await tryContainer(options, { docker, gpus, probe, signal }),
    adapters: adaptersFact,
    memoryBytes: readMemory(),
    disks,
    ports: portFacts,
    keys: readKeys(environment),
  });
}

async function tryContainer(
  { runtime, engine, image }: PreflightOptions,
  { docker, gpus, probe, signal }: Pick<Facts, 'docker' | 'gpus'> & { probe: boolean; signal: AbortSignal },
): Promise<GpuProbeAnswer> {
  if (!probe) return { kind: 'not_run', why: 'ask for it with probe=true' };
  if (runtime !== 'docker' || gpus.source !== 'nvidia' || gpus.gpus.length === 0) {
    return { kind: 'not_run', why: 'no container of this host gets a GPU' };
  }
  if ('failure' in docker || docker.gpuDriver === null)
    return { kind: 'not_run', why: 'Docker gives no GPUs to containers' };
  const uuids = gpus.gpus.filter(({ health }) => health.verdict !== 'unusable').map(({ uuid }) => uuid);
  return probeGpus({ engine, image, driver: docker.gpuDriver, uuids, signal });
}
