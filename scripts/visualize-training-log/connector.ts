import type { Client } from '../quickstart/client.ts';
import type { FindOptions, UsedControlPlane } from '../train/control-plane.ts';

/** Finds the control plane when the first run is asked for, and once; a file needs none. */
export function connector(options: Omit<FindOptions, 'keep'>): {
  client: () => Promise<Client>;
  close: () => Promise<void>;
} {
  let found: Promise<UsedControlPlane> | null = null;
  return {
    client: async () => {
      found ??= find(options);
      return (await found).client;
    },
    close: async () => await (await found?.catch(() => null))?.cleanUp(),
  };
}

async function find(options: Omit<FindOptions, 'keep'>): Promise<UsedControlPlane> {
  const { findControlPlane } = await import('../train/control-plane.ts');
  return await findControlPlane({ ...options, keep: false });
}
