import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from '../api/handlers.ts';
import { explainNeverFits } from '../placement/explain.ts';
import { shapeOf } from '../placement/shape-of.ts';
import type { Host } from './placement.ts';

/** The GPU profiles, each with what keeps both its roles from ever running on this host. */
export function createGpuProfileHandlers({ profiles, gpus }: Host): Pick<Handlers<Operations>, 'listGpuProfiles'> {
  return {
    listGpuProfiles: async () => {
      const listed = [...profiles.values()].map((profile) => {
        const shape = shapeOf(profile, { serves: true, tensorParallel: null });
        return { profile, never: shape === null ? null : explainNeverFits(shape, gpus) };
      });
      return { status: 200, body: { profiles: listed } };
    },
  };
}
