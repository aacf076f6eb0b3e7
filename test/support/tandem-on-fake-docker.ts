import { resolve } from 'node:path';
import { missingSandbox } from './docker-daemon/sandbox.ts';
import { exposePort, outsideAddress } from './expose-port.ts';
import { type FakeDocker, type FakeDockerOptions, startFakeDocker } from './fake-docker/fake-docker.ts';
import { minioBinary, type S3Server, startMinio } from './s3-servers.ts';
import { startTandem, type Tandem } from './tandem.ts';
import { s3Settings } from './tandem-on-s3.ts';

const root = resolve(import.meta.dirname, '../..').replace(/\/dist$/, '');

/** Why no test can have whole runs on the fake daemon, to name one that is skipped; null where it can. */
export const noFakeContainers: string | null =
  missingSandbox() ??
  (outsideAddress() === null ? 'this machine has no address but loopback' : null) ??
  (minioBinary() === null ? 'no MinIO binary; scripts/test.sh builds it with Go' : null);

/** A real control plane that starts its runs as containers of a fake daemon, where they are processes of this machine, with checkpoints on a real MinIO. */
export interface TandemOnFakeDocker {
  tandem: Tandem;
  fake: FakeDocker;
  server: S3Server;
  dispose(): Promise<void>;
}

export async function startTandemOnFakeDocker({
  docker = {},
  programs = {},
  env = {},
}: {
  docker?: FakeDockerOptions;
  /** See `ProcessOptions`. */
  programs?: Readonly<Record<string, readonly string[]>>;
  /** For the control plane. */
  env?: Record<string, string>;
} = {}): Promise<TandemOnFakeDocker> {
  const processes = { namespaces: true, paths: { '/opt/tandem': root }, programs };
  const fake = await startFakeDocker({ processes, ...docker });
  const server = await startMinio();
  // A store on loopback is refused: in real containers that would be the container itself.
  const outside = await exposePort(outsideAddress() ?? '', Number(new URL(server.endpoint).port));
  const close = async () => {
    outside.close();
    await fake.close();
    await server.close();
  };
  try {
    const runtime = { TANDEM_RUNTIME: 'docker', DOCKER_HOST: fake.host, TANDEM_IMAGE: 'tandem' };
    const tandem = await startTandem({ ...s3Settings(server, outside.origin), ...runtime, ...env });
    const dispose = async () => {
      await tandem.dispose();
      await close();
    };
    return { tandem, fake, server, dispose };
  } catch (error) {
    await close();
    throw error;
  }
}
