import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type DockerDaemon, missingDocker } from './docker-daemon/docker-daemon.ts';
import { startDaemonWithImages } from './docker-daemon/kept-images.ts';
import { minioBinary, type S3Server, startMinio } from './s3-servers.ts';
import { freePort, startTandem, type Tandem } from './tandem.ts';
import { s3Settings } from './tandem-on-s3.ts';

const root = resolve(import.meta.dirname, '../..').replace(/\/dist$/, '');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
/** As compose names it, so that one is built for all tests. */
const IMAGE = `tandem:${version}`;

/** Why no test can have runs in containers here, to name one that is skipped; null where it can. */
export const noContainers: string | null =
  missingDocker() ?? (minioBinary() === null ? 'no MinIO binary; scripts/test.sh builds it with Go' : null);

/** A real control plane that starts its runs as containers of a real Docker daemon, with its checkpoints on a real MinIO. */
export interface TandemInDocker {
  tandem: Tandem;
  daemon: DockerDaemon;
  server: S3Server;
  /** The image of our own programs. */
  image: string;
  dispose(): Promise<void>;
}

interface ImageOptions {
  /** Makes the images that are needed besides ours. */
  readonly more?: (daemon: DockerDaemon) => void;
  /** Of ours: with TensorFlow for cores. */
  readonly engine?: 'cpu';
}

export async function startTandemInDocker(
  env: Record<string, string> = {},
  { more, engine }: ImageOptions = {},
): Promise<TandemInDocker> {
  const daemon = await startDaemonWithImages((started) => {
    if (engine === undefined) buildImages(started, ['tandem']);
    more?.(started);
  });
  const image = engine === undefined ? IMAGE : `${IMAGE}-${engine}`;
  // Not kept for the tests that come after: each would have a copy.
  if (engine !== undefined) buildImages(daemon, ['tandem'], { TANDEM_IMAGE: image, TANDEM_ENGINE: engine });
  const server = await startMinio();
  const close = async () => {
    await daemon.close();
    await server.close();
  };
  try {
    const agents = await freePort();
    const endpoint = await daemon.expose(Number(new URL(server.endpoint).port));
    const tandem = await startTandem({
      ...s3Settings(server, endpoint),
      TANDEM_RUNTIME: 'docker',
      DOCKER_HOST: daemon.host,
      TANDEM_IMAGE: image,
      TANDEM_AGENT_ADDR: `${daemon.hostAddress}:${agents}`,
      TANDEM_AGENT_URL: `http://${daemon.hostAddress}:${agents}`,
      ...env,
    });
    const dispose = async () => {
      await tandem.dispose();
      await close();
    };
    return { tandem, daemon, server, image, dispose };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Builds images of `scripts/build-image.sh` on a base that is made of this machine's Node, unless they are there and of the same things. */
export function buildImages(daemon: DockerDaemon, names: readonly string[], env: Record<string, string> = {}): void {
  const base = daemon.importBaseImage();
  execFileSync('scripts/build-image.sh', ['--base', base, ...names], {
    cwd: root,
    env: { ...process.env, ...env, DOCKER_HOST: daemon.host },
    stdio: 'pipe',
  });
}
