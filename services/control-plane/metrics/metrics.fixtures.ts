import { createMetrics, type MetricSources, type Metrics } from './metrics.ts';

/** For tests: a control plane with something of everything, as far as metrics see it. */
export function someMetrics(change: Partial<MetricSources> = {}): Metrics {
  const metrics = createMetrics({
    runs: () => new Map([['running', 2]]),
    longestWait: () => 90,
    gpus: () => new Map([['free', 6]]),
    leases: () => [{ run: 'run-aaaaaaaa', attempt: 2, seconds: 60 }],
    running: () => ({ runs: [{ run: 'run-aaaaaaaa', step: 40, values: [['train/loss', 0.5]] }], leftOut: 1 }),
    sinks: () => [{ sink: 'log', records: 7, failing: 1 }],
    ...change,
  });
  metrics.request({ operation: 'getRun', method: 'get', status: 200 }, 0.01);
  metrics.reconciled(0.02);
  metrics.granted(30);
  metrics.checkpointed(1000);
  return metrics;
}
