import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from '../api/handlers.ts';
import type { GpuService } from './gpu.service.ts';

/** The GPUs of the host. */
export function createGpuHandlers(gpus: GpuService): Pick<Handlers<Operations>, 'listGpus'> {
  return {
    listGpus: async ({ query }) => ({ status: 200, body: await gpus.inventory(query) }),
  };
}
