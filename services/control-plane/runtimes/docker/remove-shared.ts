import type { RoleIdentity } from '../runtime.ts';
import type { DockerEngine } from './engine/docker-engine.ts';
import { label, type Names } from './naming.ts';
import { removeFromHost } from './remove-from-host.ts';

/**
 * Removes what the roles of an attempt share: networks, what lies in a directory of the host, volumes. The networks go first, since subnets are few and removing
 * from the host may fail for long; the volumes last, since the label of one says what is still to be removed from the host.
 */
export async function removeShared(
  attempt: Pick<RoleIdentity, 'run' | 'attempt'>,
  {
    engine,
    names,
    image,
    ensureImage,
  }: {
    engine: DockerEngine;
    names: Names;
    /** One with Node. */
    image: string;
    /** Has it on the daemon. */
    ensureImage: () => Promise<void>;
  },
): Promise<void> {
  const labels = names.labels.attempt(attempt);
  for (const { name } of await engine.listNetworks(labels)) await engine.removeNetwork(name);
  const volumes = await engine.listVolumes(labels);
  const outside = volumes.map((volume) => volume.labels[label.adapters]).find((each) => each !== undefined);
  if (outside !== undefined) {
    await ensureImage();
    await removeFromHost(outside, { engine, name: names.cleaner(attempt), labels, image });
  }
  for (const { name } of volumes) await engine.removeVolume(name);
}
