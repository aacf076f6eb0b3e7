import type { Operations } from '../../contracts/operations.ts';
import type { Handlers } from '../api/handlers.ts';
import { type PreflightOptions, preflight } from './preflight.service.ts';

/** Whether the host is ready. */
export function createPreflightHandlers(options: PreflightOptions): Pick<Handlers<Operations>, 'getPreflight'> {
  return {
    getPreflight: async ({ query: { probe } }, { signal }) => ({
      status: 200,
      body: await preflight(options, { probe, signal }),
    }),
  };
}
