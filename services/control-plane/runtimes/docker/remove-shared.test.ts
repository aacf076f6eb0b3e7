import { describe, expect, it } from 'vitest';
import type { DockerEngine } from './engine/docker-engine.ts';
import { createNames, label } from './naming.ts';
import { removeShared } from './remove-shared.ts';

const names = createNames('0123456789abcdef');
const attempt = { run: 'run-7k3m9q2d', attempt: 2 };
const name = names.attempt(attempt);

/** A daemon with one network and one volume, and no more than is asked of it here. */
function daemon(labels: Record<string, string>) {
  const left = { networks: [{ name, labels: {} }], volumes: [{ name, labels }] };
  const engine = {
    listNetworks: async () => [...left.networks],
    listVolumes: async () => [...left.volumes],
    removeNetwork: async () => void left.networks.pop(),
    removeVolume: async () => void left.volumes.pop(),
  };
  return { left, engine: engine as unknown as DockerEngine };
}

describe('what the roles of an attempt share', () => {
  it('gives its subnet back also while the directory on the host cannot be removed, which its volume remembers', async () => {
    const { left, engine } = daemon({ [label.adapters]: '/srv/adapters/x' });
    const ensureImage = async () => {
      throw new Error('no space left on device');
    };
    const asked = removeShared(attempt, { engine, names, image: 'tandem', ensureImage });
    await expect(asked).rejects.toThrow('no space left');
    expect(left).toMatchObject({ networks: [], volumes: [{ name }] });
  });

  it('is all gone where nothing lies on the host', async () => {
    const { left, engine } = daemon({});
    await removeShared(attempt, { engine, names, image: 'tandem', ensureImage: async () => undefined });
    expect(left).toEqual({ networks: [], volumes: [] });
  });
});
