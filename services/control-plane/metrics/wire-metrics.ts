import type { EventStore } from '../events/event.store.ts';
import type { GpuService } from '../gpus/gpu.service.ts';
import type { LeaseStore } from '../leases/lease.store.ts';
import type { RecordService } from '../records/record.service.ts';
import type { RunStore } from '../runs/run.store.ts';
import type { SinkMeter } from '../sinks/sink-meter.ts';
import { countGpus } from './gpu-states.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { readRunMetrics } from './run-metrics.ts';
import { watchEvents } from './watch-events.ts';

/** The metrics of a control plane that is made of these parts. */
export function wireMetrics({
  runs,
  leases,
  gpus,
  records,
  events,
  meters,
  now,
}: {
  runs: Pick<RunStore, 'get' | 'countByStatus' | 'longestQueued' | 'underWay'>;
  leases: Pick<LeaseStore, 'all'>;
  gpus: Pick<GpuService, 'newest'>;
  records: Pick<RecordService, 'latestValues' | 'progress'>;
  events: Pick<EventStore, 'subscribeAll'>;
  /** Each of other kinds of sinks. */
  meters: readonly Pick<SinkMeter, 'read'>[];
  now: () => number;
}): Metrics {
  const since = (at: number) => Math.max(0, now() - at) / 1000;
  const metrics = createMetrics({
    runs: () => runs.countByStatus(),
    longestWait: () => {
      const at = runs.longestQueued();
      return at === null ? 0 : since(at);
    },
    gpus: () => countGpus(gpus.newest()?.gpus ?? [], leases.all()),
    leases: () => {
      const ages = leases.all().map(({ run, attempt, granted_at }) => ({ run, attempt, seconds: since(granted_at) }));
      return [...new Map(ages.map((age) => [`${age.run}.a${age.attempt}`, age])).values()];
    },
    running: () =>
      readRunMetrics(
        runs.underWay().map(({ id, started_at }) => ({ id, startedAt: started_at })),
        records,
      ),
    sinks: () => meters.flatMap((meter) => meter.read()),
  });
  watchEvents({ events, queuedAt: (run) => runs.get(run)?.queued_at, metrics });
  return metrics;
}
