import type { MetricValues } from '../metrics.ts';
import type { InferenceServer } from './inference-server.ts';

/**
 * Counts the calls to the inference server that had to be made again since it was asked last: in all, and each kind of trouble that was met under its own
 * name (`contracts/metrics.ts`).
 */
export function createRetryMeter(server: Pick<InferenceServer, 'retries'>): () => MetricValues {
  let before = server.retries();
  return () => {
    const now = server.retries();
    const fresh = [...now].map(([kind, count]) => [kind, count - (before.get(kind) ?? 0)] as const);
    before = now;
    const met = fresh.filter(([, count]) => count > 0);
    return {
      'perf/inference_retries': met.reduce((sum, [, count]) => sum + count, 0),
      ...Object.fromEntries(met.map(([kind, count]) => [`perf/inference_retries_${kind}`, count])),
    };
  };
}
