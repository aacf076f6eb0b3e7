import type { Operations } from '../contracts/operations.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import type { Redactor } from '../platform/redaction.ts';
import { createArchiveHandlers } from './api/archive.handlers.ts';
import { createCheckpointArchiveHandlers } from './api/checkpoint-archive.handlers.ts';
import { createCheckpointExportHandlers } from './api/checkpoint-export.handlers.ts';
import { createCheckpointHandlers } from './api/checkpoints.handlers.ts';
import type { Handlers } from './api/handlers.ts';
import { createServiceHandlers } from './api/service.handlers.ts';
import type { Streams } from './api/sse.ts';
import { createWatchingHandlers } from './api/watching.handlers.ts';
import type { ArchiveServices } from './archive/archive-run.ts';
import { createGpuHandlers } from './gpus/gpu.handlers.ts';
import type { GpuService } from './gpus/gpu.service.ts';
import { createImportHandlers } from './imports/import.handlers.ts';
import type { ImportService } from './imports/import.service.ts';
import type { LeaseStore } from './leases/lease.store.ts';
import { createMetricsHandlers } from './metrics/metrics.handlers.ts';
import type { Metrics } from './metrics/metrics.ts';
import { membersOf } from './placement/gpu-sets.ts';
import { createPreflightHandlers } from './preflight/preflight.handlers.ts';
import { dockerSocket } from './preflight/read-docker.ts';
import { leasableMap } from './queue/gpu-host.ts';
import { createQueueHandlers } from './queue/queue.handlers.ts';
import type { QueueDesk } from './queue/queue-desk.ts';
import type { Drawing } from './reports/drawing-thread.ts';
import { createReportHandlers } from './reports/reports.handlers.ts';
import { requireUnused } from './runs/checkpoint-users.ts';
import { createGpuProfileHandlers } from './runs/gpu-profile.handlers.ts';
import { createRunHandlers } from './runs/run.handlers.ts';
import type { RunService } from './runs/run.service.ts';
import type { RunServiceOptions } from './runs/run-service-options.ts';
import { createDockerEngine } from './runtimes/docker/engine/create-docker-engine.ts';
import type { Settings } from './settings.ts';
import { createTrackerHandlers } from './trackers/tracker.handlers.ts';
import type { Trackers } from './trackers/trackers.ts';

/** How long an answer waits for the name of a container. */
const NAME_MS = 1000;

/** What the handlers work with. */
export interface HandlerParts
  extends Pick<
    RunServiceOptions,
    'runs' | 'attempts' | 'events' | 'records' | 'checkpoints' | 'profiles' | 'environment' | 'changed' | 'now' | 'log'
  > {
  settings: Settings;
  version: string;
  store: ObjectStore;
  service: RunService;
  imports: ImportService;
  leases: LeaseStore;
  gpus: GpuService;
  desk: QueueDesk;
  streams: Streams;
  trackers: Trackers;
  archive: ArchiveServices;
  metrics: Metrics;
  drawing: Drawing;
  redactor: Redactor;
  /** How many programs were taken over; null before that is known. */
  adopted: () => number | null;
}

/** Who answers which operation of the public API. */
export function wireHandlers(parts: HandlerParts): Handlers<Operations> {
  const { settings, runs, attempts, events, records, checkpoints, store, gpus, desk, environment, now, log } = parts;
  const { home, outputs, slots, visibleGpus: visible } = settings;
  const leasable = () => {
    const { host, reading } = desk.decide();
    const may = reading === null ? [] : leasableMap(reading, visible).gpus;
    const can = host === null ? [] : membersOf(host.usable).flatMap((at) => host.gpus[at] ?? []);
    const uuids = (of: readonly { uuid: string }[]) => new Set(of.map(({ uuid }) => uuid));
    return { may: uuids(may), can: uuids(can) };
  };

  const engine = createDockerEngine({ socketPath: dockerSocket(environment) });
  // No daemon is as good an answer as none that knows it.
  const containerName = async (id: string): Promise<string | null> => {
    const found = await engine.inspectContainer(id, { signal: AbortSignal.timeout(NAME_MS) }).catch(() => null);
    return found?.name ?? null;
  };

  return {
    ...createRunHandlers(parts.service),
    ...createWatchingHandlers({
      statusOf: (run) => runs.get(run)?.status,
      events,
      records,
      streams: parts.streams,
    }),
    ...createTrackerHandlers({ runs, trackers: parts.trackers }),
    ...createCheckpointHandlers({
      runs,
      checkpoints,
      store,
      requireUnused: (manifest) => requireUnused(manifest, { runs, attempts, checkpoints }),
    }),
    ...createCheckpointExportHandlers({ runs, checkpoints }),
    ...createCheckpointArchiveHandlers({ runs, checkpoints, store, log }),
    ...createImportHandlers(parts.imports),
    ...createGpuHandlers({ gpus, leases: parts.leases, leasable, containerName, changed: parts.changed }),
    ...createQueueHandlers({ desk, gpus, slots }),
    ...createPreflightHandlers({
      runtime: settings.docker === null ? 'process' : 'docker',
      environment,
      engine,
      image: settings.docker?.image ?? `tandem:${parts.version}`,
      inventory: () => gpus.inventory({ refresh: false }),
      paths: [home, outputs],
      ports: async () => [{ setting: 'PORT', port: settings.port, state: 'ours' }],
    }),
    ...createGpuProfileHandlers({
      profiles: parts.profiles,
      gpus: async () => leasableMap(await gpus.inventory({ refresh: false }), visible).gpus,
    }),
    ...createArchiveHandlers({ ...parts.archive, now }),
    ...createMetricsHandlers(parts.metrics),
    ...createReportHandlers({
      run: runs.get,
      attempts: attempts.list,
      records,
      checkpoints,
      drawing: parts.drawing,
      redactor: parts.redactor,
      now,
    }),
    ...createServiceHandlers({ version: parts.version, adopted: parts.adopted }),
  };
}
