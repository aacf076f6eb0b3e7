import { randomBytes } from 'node:crypto';
import type { DockerEngine } from '../runtimes/docker/engine/docker-engine.ts';
import { DockerError } from '../runtimes/docker/engine/docker-error.ts';
import { deviceRequest, type GpuDriver } from '../runtimes/docker/gpu-request.ts';
import type { GpuProbeAnswer } from './facts.ts';

const LIMIT_MS = 20_000;
const MAX_WORDS = 300;

export interface GpuProbeOptions {
  engine: Pick<
    DockerEngine,
    'inspectImage' | 'createContainer' | 'startContainer' | 'waitForExit' | 'followLogs' | 'removeContainer'
  >;
  image: string;
  driver: GpuDriver;
  uuids: readonly string[];
  signal: AbortSignal;
}

/** Starts a container with all GPUs that runs `nvidia-smi -L`, which the toolkit puts into it, and counts what it lists. Leaves nothing behind. */
export async function probeGpus({ engine, image, driver, uuids, signal }: GpuProbeOptions): Promise<GpuProbeAnswer> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)]);
  const name = `tandem-preflight-${randomBytes(6).toString('hex')}`;
  try {
    if ((await engine.inspectImage(image, { signal: limit })) === null) {
      return { kind: 'not_run', why: `the image ${image} is not on this host (./scripts/build-image.sh)` };
    }
    await engine.createContainer(
      name,
      {
        Image: image,
        Entrypoint: ['nvidia-smi', '-L'],
        Cmd: [],
        Labels: { 'dev.tandem.preflight': 'true' },
        HostConfig: {
          NetworkMode: 'none',
          DeviceRequests: [deviceRequest(driver, uuids)],
          CapDrop: ['ALL'],
          SecurityOpt: ['no-new-privileges:true'],
          PidsLimit: 64,
        },
      },
      { signal: limit },
    );
    const { exited } = await engine.waitForExit({ container: name, condition: 'next-exit', signal: limit });
    await engine.startContainer(name, { signal: limit });
    const { exitCode } = await exited;
    const said = await wordsOf(name, engine, limit);
    if (exitCode !== 0)
      return { kind: 'failed', why: `nvidia-smi ended with ${exitCode}: ${said.slice(0, MAX_WORDS).trim()}` };
    return { kind: 'seen', gpus: said.match(/^GPU \d+:/gm)?.length ?? 0 };
  } catch (error) {
    if (signal.aborted) throw error;
    if (limit.aborted) return { kind: 'failed', why: `no answer within ${LIMIT_MS / 1000} s` };
    if (error instanceof DockerError) return { kind: 'failed', why: error.message };
    throw error;
  } finally {
    await engine.removeContainer(name, { force: true }).catch(() => undefined);
  }
}

async function wordsOf(container: string, engine: GpuProbeOptions['engine'], signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const frames of engine.followLogs({ container, signal }))
    chunks.push(...frames.map(({ payload }) => Buffer.from(payload)));
  return Buffer.concat(chunks).toString('utf8');
}
