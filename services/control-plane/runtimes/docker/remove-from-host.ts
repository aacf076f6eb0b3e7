import { posix } from 'node:path';
import type { DockerEngine } from './engine/docker-engine.ts';

/** It ends in an instant on any disk that works. */
const LIMIT_MS = 60_000;
const PROGRAM = "require('node:fs').rmSync(process.argv[1], { recursive: true, force: true })";

/**
 * Removes a directory of the host, which a control plane in a container cannot see and a user without rights could not remove: by a container that has the
 * directory above it. May be repeated, also over what one that was cut off has left.
 */
export async function removeFromHost(
  directory: string,
  {
    engine,
    name,
    labels,
    image,
  }: {
    engine: DockerEngine;
    /** Of the container. */
    name: string;
    labels: Readonly<Record<string, string>>;
    /** One with Node. */
    image: string;
  },
): Promise<void> {
  const above = posix.dirname(directory);
  await engine.removeContainer(name, { force: true });
  await engine.createContainer(name, {
    Image: image,
    Entrypoint: ['node'],
    Cmd: ['-e', PROGRAM, directory],
    // The directory is the daemon's, what lies in it belongs to the trainer's user.
    User: '0:0',
    Labels: labels,
    Healthcheck: { Test: ['NONE'] },
    Env: ['NVIDIA_VISIBLE_DEVICES=void'],
    HostConfig: {
      NetworkMode: 'none',
      Binds: [`${above}:${above}`],
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      CapAdd: ['DAC_OVERRIDE'],
      SecurityOpt: ['no-new-privileges'],
      PidsLimit: 256,
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
      LogConfig: { Type: 'local', Config: { 'max-size': '1m', 'max-file': '2' } },
    },
  });
  const { exited } = await engine.waitForExit({
    container: name,
    condition: 'next-exit',
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  await engine.startContainer(name);
  await exited;
  const exitCode = (await engine.inspectContainer(name))?.state.exitCode;
  await engine.removeContainer(name, { force: true });
  if (exitCode === 0) return;
  throw new Error(
    `${directory} on the Docker host could not be removed (exit code ${exitCode}); it is tried again. Remove it by hand where the disk refuses root, as NFS may.`,
  );
}
