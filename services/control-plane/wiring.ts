import { join } from 'node:path';
import type { Express } from 'express';
import type { Database } from '../platform/database.ts';
import type { Logger } from '../platform/logger.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import type { Redactor } from '../platform/redaction.ts';
import { pause } from '../platform/retry.ts';
import { createAgentApp } from './api/agent-app.ts';
import { createIdempotency } from './api/idempotency.ts';
import { createPublicApp } from './api/public-app.ts';
import { createStreams } from './api/sse.ts';
import type { ArchiveServices } from './archive/archive-run.ts';
import { printedFiles } from './archive/printed-files.ts';
import { authenticateAttempt, createAgentHandlers } from './attempts/attempt.agent.ts';
import { createAttemptStore } from './attempts/attempt.store.ts';
import { tellTrainerEvents } from './attempts/tell-trainer-events.ts';
import { type CheckpointService, createCheckpointService } from './checkpoints/checkpoint.service.ts';
import { createEventStore } from './events/event.store.ts';
import { createGpuService } from './gpus/gpu.service.ts';
import type { GpuSource } from './gpus/gpu-source.ts';
import { createImportService, type ImportService } from './imports/import.service.ts';
import { createLeaseStore } from './leases/lease.store.ts';
import { measureRequests } from './metrics/measure-requests.ts';
import { wireMetrics } from './metrics/wire-metrics.ts';
import { createModels } from './models/models.ts';
import { defaultPolicy } from './queue/gpu-queue.ts';
import { createQueueDesk } from './queue/queue-desk.ts';
import { watchClock } from './reconciler/clock-jump.ts';
import { createExecutors } from './reconciler/execute.ts';
import type { Limits } from './reconciler/observation.ts';
import { observe } from './reconciler/observe.ts';
import { createQueueWatch } from './reconciler/observe-queue.ts';
import { createReconciler, type Reconciler } from './reconciler/reconciler.ts';
import { executeStep } from './reconciler/step.ts';
import { createVigil } from './reconciler/vigil.ts';
import { createRecordService, type RecordService } from './records/record.service.ts';
import { createDrawing } from './reports/drawing-thread.ts';
import type { GpuProfiles } from './runs/gpu-profiles.ts';
import { createOutputTrees } from './runs/output-tree.ts';
import { createPathPolicy } from './runs/path-policy.ts';
import { createPruner } from './runs/pruner.ts';
import { readHost } from './runs/read-host.ts';
import { createRunService, type RunService } from './runs/run.service.ts';
import { createRunStore } from './runs/run.store.ts';
import { createRunFiles } from './runs/run-files.ts';
import { sinkTarget } from './runs/sink-target.ts';
import type { Programs } from './runtimes/role-specs.ts';
import type { Runtime } from './runtimes/runtime.ts';
import { VLLM_IMAGE } from './runtimes/vllm-image.ts';
import type { Settings } from './settings.ts';
import { settleWithin } from './settle-within.ts';
import { wireHandlers } from './wire-handlers.ts';
import { wireSinks } from './wire-sinks.ts';

const RESYNC_MS = 1000;
/** How often it is looked whether files of unfinished checkpoints have to go. */
const SWEEP_MS = 60_000;
/** How often the GPUs of the host are read. */
const GPUS_MS = 60_000;
/** How long what cannot be interrupted may hold up the end of the process. */
const CLOSE_GRACE_MS = 2000;

export interface WiringOptions {
  settings: Settings;
  environment: Readonly<Record<string, string | undefined>>;
  /** What relative paths of users are relative to. */
  cwd: string;
  version: string;
  installation: string;
  profiles: GpuProfiles;
  programs: Programs;
  limits: Limits;
  db: Database;
  store: ObjectStore;
  runtime: Runtime;
  /** Where the GPUs of the host are known from. */
  gpuSource: GpuSource;
  /** Where trainers reach the agent API; asked for once it listens. */
  agentUrl: () => string;
  now: () => number;
  /** Counts on when the clock of the machine is set; `now` by default, which is then taken for one that is never set. */
  steady?: () => number;
  /** Hides secrets in what is kept and shown of runs. */
  redactor: Redactor;
  log: Logger;
}

export interface Wiring {
  publicApp: Express;
  agentApp: Express;
  service: RunService;
  imports: ImportService;
  reconciler: Reconciler;
  records: RecordService;
  /** What archives are made of. */
  archive: ArchiveServices;
  /** Reads what live runs have written beyond the indexes before this process; to be called before anything is served. */
  recover(): Promise<void>;
  /** Takes over the programs that run, once trainers can reach the agent API. Readiness follows it; then the files of all other runs are checked. */
  adopt(): Promise<void>;
  /** Breaks off fetches, sweeps and tries that go on beside everything else; to be called before anything is waited for. */
  interrupt(): void;
  /** Ends followers' streams. */
  endStreams(): void;
  /** Ends what works beside the reconciler. */
  close(): Promise<void>;
}

/** The one place where the parts of the control plane are made and meet. Nothing runs yet when it returns. */
export function wireControlPlane(options: WiringOptions): Wiring {
  const { settings, cwd, version, installation, profiles, programs, limits, db, store, runtime, agentUrl, now } =
    options;
  const { redactor, log } = options;
  const { home, outputs, dataRoots, slots, stopDeadlineMs, sweepGraceMs } = settings;
  const work = join(home, 'work');
  const closing = new AbortController();
  let checking: Promise<void> = Promise.resolve();
  let sweeping: Promise<void> = Promise.resolve();
  let watching: Promise<void> = Promise.resolve();
  const steady = options.steady ?? now;
  const clock = watchClock({ db, wall: now, steady, log });
  let since = now();
  let adopted: number | null = null;
  let isBlind = false;

  const events = createEventStore({ db, now, redactor });
  const attempts = createAttemptStore({ db });
  const runs = createRunStore({ db });
  const leases = createLeaseStore({ db });

  // What records tell about a start concerns checkpoints, which are made after them.
  const later: { checkpoints?: CheckpointService; records?: RecordService } = {};
  const onIndexed = tellTrainerEvents({
    events,
    attempts,
    checkpoints: () => later.checkpoints as CheckpointService,
    markSuperseded: () => (later.records as RecordService).markSuperseded,
  });
  const records = createRecordService({ db, directory: join(home, 'records'), now, log, redactor, onIndexed });
  const checkpoints = createCheckpointService({ db, store, attempts, events, sweepGraceMs, now, log });
  Object.assign(later, { checkpoints, records });
  const runFiles = createRunFiles({ runs, attempts, events, records, store, directory: join(home, 'records'), log });
  const paths = createPathPolicy({ cwd, roots: dataRoots, outputs, home });
  const { sinks, trackers, meters } = wireSinks({
    ...{ settings, cwd, db, store, runtime, runs, events, records, checkpoints, paths, redactor, now, steady, log },
    cancel: (run) => service.cancel(run),
  });
  const trees = createOutputTrees({ installation });
  const { prune } = createPruner({ runs, checkpoints, closing: closing.signal, log });
  const models = createModels({
    root: join(home, 'models'),
    hub: settings.hub,
    maxBytes: settings.modelsMaxBytes,
    uses: runs.modelUses,
    store,
    steady,
    log,
  });
  const shared = {
    db,
    runs,
    attempts,
    events,
    leases,
    records,
    checkpoints,
    sinks,
    trackers,
    trees,
    runFiles,
    prune,
    models,
    runtime,
    programs,
    vllmImage: settings.docker?.vllmImage ?? VLLM_IMAGE,
    profiles,
    now,
    redactor,
    log,
    agentUrl,
    stopDeadlineMs,
  };

  const executors = createExecutors(shared);
  const vigil = createVigil();
  const gpus = createGpuService({
    source: options.gpuSource,
    everyMs: GPUS_MS,
    onRead: () => reconciler.trigger(),
    closing: closing.signal,
    now,
    steady,
    log,
  });
  const visible = settings.visibleGpus;
  const policy = { ...defaultPolicy, stopMs: stopDeadlineMs, minRunMs: settings.preemptAfterMs };
  const { quotas } = settings;
  const desk = createQueueDesk({ ...shared, gpus, visible, slots, quotas, policy, steady });
  const queue = createQueueWatch({ desk, gpus, steady });
  const metrics = wireMetrics({ runs, leases, gpus, records, events, meters, now });
  const measure = measureRequests(metrics);
  const reconciler = createReconciler({
    observe: async () => {
      since += clock.follow();
      // While nothing can be seen nobody has had a chance to be ready: deadlines count from when it can.
      if (isBlind) since = now();
      isBlind = true;
      const seen = await observe({ ...shared, vigil, since, queue });
      isBlind = false;
      return seen;
    },
    execute: (step, signal) => executeStep(executors, step, signal),
    limits,
    resyncMs: RESYNC_MS,
    now: steady,
    log,
    onRound: (ms) => metrics.reconciled(ms / 1000),
    onStuck: (run, message) => {
      if (runs.get(run) === undefined) return;
      events.append({ run, name: 'warning', actor: 'control_plane', reason: 'control_plane_error', message });
    },
  });
  const changed = () => reconciler.trigger();
  const { vllmApiBase } = settings;
  const kind = settings.docker === null ? 'process' : 'docker';
  const trainerImages = settings.docker?.trainerImages ?? null;
  const sharesAdapters = settings.docker === null || settings.docker.adapters !== null;
  const forRuns = {
    ...shared,
    paths,
    readHost: () => readHost({ gpus, profiles, visible, vllmApiBase, runtime: kind, sharesAdapters, trainerImages }),
    environment: options.environment,
    queue: desk,
    work,
    closing: closing.signal,
    changed,
  };
  const service = createRunService(forRuns);
  const imports = createImportService({ ...forRuns, store, journal: join(home, 'imports') });
  const streams = createStreams();
  const printed = (id: string) => printedFiles({ id, tree: runs.get(id)?.tree ?? '' }, store);
  const archive = { view: service.get, events, records, checkpoints, printed };
  const drawing = createDrawing();
  const publicApp = createPublicApp({
    handlers: wireHandlers({
      ...forRuns,
      settings,
      version,
      store,
      service,
      imports,
      leases,
      gpus,
      desk,
      streams,
      trackers,
      archive,
      metrics,
      drawing,
      redactor,
      adopted: () => adopted,
    }),
    settings,
    log,
    now,
    measure,
    idempotency: createIdempotency({ db, now }),
    redactor,
  });
  const { runBaselineEval, verbose } = settings;
  const agentApp = createAgentApp({
    handlers: createAgentHandlers({ ...shared, runBaselineEval, verbose, changed }),
    authenticate: authenticateAttempt(attempts),
    measure,
    log,
    now,
  });

  const sweepOften = async () => {
    for (; !closing.signal.aborted; await pause(SWEEP_MS, closing.signal)) {
      await checkpoints.sweep(closing.signal).catch((error: unknown) => {
        if (!closing.signal.aborted) log.error('Files of unfinished checkpoints could not be looked for.', { error });
      });
    }
  };

  return {
    publicApp,
    agentApp,
    service,
    imports,
    reconciler,
    records,
    archive,
    recover: async () => {
      await imports.sweep().catch((error: unknown) => {
        log.error('What imports left that were cut off could not be removed; the next start does it.', { error });
      });
      await models.sweep().catch((error: unknown) => {
        log.error('What is left of models that were being removed could not be removed; the next start does it.', {
          error,
        });
      });
      const live = [...runs.active(), ...runs.queued()].map(({ id }) => id);
      await records.recover(live);
      for (const id of live) await checkpoints.rebuild(id);
    },
    adopt: async () => {
      // A trainer that could not hear that it shall stop gets its time from now on.
      runs.extendStopDeadlines(now() + stopDeadlineMs);
      attempts.extendPreemptions(now() + stopDeadlineMs);
      for (const run of runs.filesOpen()) sinks.open(sinkTarget(run, runs));
      for (const id of trackers.owed()) {
        const run = runs.get(id);
        if (run !== undefined) trackers.settle(sinkTarget(run, runs));
      }
      runFiles.sweep([...runs.active(), ...runs.queued()].map(({ id }) => id));
      const found = await runtime.observe();
      adopted = found.filter(({ state }) => state === 'running' || state === 'starting').length;
      checking = records.recover(undefined, closing.signal).catch((error: unknown) => {
        log.error('The record files of runs at rest could not be checked; the next start does it.', { error });
      });
      sweeping = sweepOften();
      watching = gpus.watch();
    },
    interrupt: () => closing.abort(),
    endStreams: () => streams.close(),
    close: async () => {
      closing.abort();
      await checking;
      await settleWithin(
        [drawing.close(), sweeping, watching, sinks.close(), trackers.close(), runFiles.close()],
        CLOSE_GRACE_MS,
      );
    },
  };
}
