import { ApiError } from './api-error.ts';
import { json, type Reply, type Route, text } from './route.ts';
import type { ServingContext } from './serving-context.ts';

/** `/health` and `/ping`: 200 with no body, 503 once the engine is dead. `/version`: what answers here. */
export function probeRoutes({ engine, numerics }: ServingContext): Route[] {
  const health = (): Reply => {
    if (engine.death) throw new ApiError(503, 'ServiceUnavailableError', 'the engine is dead: start the server again');
    return text('');
  };
  return [
    { method: 'GET', path: '/health', handle: health },
    { method: 'GET', path: '/ping', handle: health },
    { method: 'POST', path: '/ping', handle: health },
    {
      method: 'GET',
      path: '/version',
      handle: () => json({ version: 'tandem', engine: numerics.name, engine_version: numerics.version }),
    },
  ];
}
