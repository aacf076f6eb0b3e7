import { z } from 'zod';
import { gpuInventorySchema } from './gpu.ts';
import { operation } from './operation.ts';
import { flag } from './operation-parts.ts';

/** The machine that runs are placed on. */
export const machineOperations = {
  listGpus: operation({
    method: 'get',
    path: '/gpus',
    tag: 'machine',
    summary: 'The GPUs of the host, their links, their health and what runs on them',
    description:
      'Read every minute; the answer is what was read last. A GPU that vanishes while the control plane runs stays listed, as `unusable`. Until the first ' +
      'reading is done, and with `refresh`, the answer waits for a reading; requests share one, and it takes a minute at most.',
    query: z.object({ refresh: flag('Read now, instead of answering what was read last.') }),
    responses: [{ status: 200, description: 'The inventory.', body: gpuInventorySchema }],
    problems: ['invalid-request'],
  }),
} as const;
