import type { Operations } from '../../contracts/operations.ts';
import { type Handlers, STREAMED } from '../api/handlers.ts';
import type { Metrics } from './metrics.ts';

/** What Prometheus scrapes. */
export function createMetricsHandlers(
  metrics: Pick<Metrics, 'text' | 'contentType'>,
): Pick<Handlers<Operations>, 'getServiceMetrics'> {
  return {
    getServiceMetrics: async (_input, { response }) => {
      const text = await metrics.text();
      response.status(200).setHeader('Content-Type', metrics.contentType);
      response.end(text);
      return STREAMED;
    },
  };
}
