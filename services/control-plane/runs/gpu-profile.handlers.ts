import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from '../api/handlers.ts';
import { explainNeverFits } from '../placement/explain.ts';
import type { PlaceableGpu } from '../placement/gpu-map.ts';
import { shapeOf } from '../placement/shape-of.ts';
import type { GpuProfiles } from './gpu-profiles.ts';

export interface GpuProfileHandlerOptions {
  profiles: GpuProfiles;
  /** Those that the host has, whether runs are placed on them or not. */
  gpus: () => Promise<readonly PlaceableGpu[]>;
}

/** The GPU profiles, each with what keeps both its roles from ever running on this host. */
export function createGpuProfileHandlers(
  options: GpuProfileHandlerOptions,
): Pick<Handlers<Operations>, 'listGpuProfiles'> {
  const { profiles } = options;
  return {
    listGpuProfiles: async () => {
      const gpus = await options.gpus();
      const listed = [...profiles.values()].map((profile) => {
        const shape = shapeOf(profile, { serves: true, tensorParallel: null });
        return { profile, never: shape === null ? null : explainNeverFits(shape, gpus) };
      });
      return { status: 200, body: { profiles: listed } };
    },
  };
}
