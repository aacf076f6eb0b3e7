import type { Database } from '../platform/database.ts';
import type { Logger } from '../platform/logger.ts';
import type { ObjectStore } from '../platform/object-store.ts';
import type { Redactor } from '../platform/redaction.ts';
import type { CheckpointService } from './checkpoints/checkpoint.service.ts';
import { type CheckpointId, locateCheckpoint } from './checkpoints/checkpoint-keys.ts';
import type { EventStore } from './events/event.store.ts';
import type { RecordService } from './records/record.service.ts';
import { readConfig } from './runs/model-config.ts';
import type { PathPolicy } from './runs/path-policy.ts';
import type { RunStore } from './runs/run.store.ts';
import type { Runtime } from './runtimes/runtime.ts';
import type { Settings } from './settings.ts';
import { createSinkMeter, type SinkMeter } from './sinks/sink-meter.ts';
import { createSinks, type Sinks } from './sinks/sinks.ts';
import { createMlflowTracker } from './trackers/mlflow/mlflow.tracker.ts';
import { createTensorboardTracker } from './trackers/tensorboard/tensorboard.tracker.ts';
import type { TrackerFactory } from './trackers/tracker.ts';
import { createTrackers, type Trackers } from './trackers/trackers.ts';
import { obeyStop } from './trackers/wandb/obey-stop.ts';
import { wandbTrackers } from './trackers/wandb/wandb-factory.ts';

/** What sinks and trackers are made with. */
export interface SinkParts {
  settings: Settings;
  /** What relative log paths are relative to. */
  cwd: string;
  db: Database;
  store: ObjectStore;
  runtime: Runtime;
  runs: RunStore;
  events: EventStore;
  records: RecordService;
  checkpoints: CheckpointService;
  paths: PathPolicy;
  redactor: Redactor;
  /** Ends a run that somebody has stopped in a tracker. */
  cancel: Parameters<typeof obeyStop>[0]['cancel'];
  now: () => number;
  steady: () => number;
  log: Logger;
}

/** What shows runs to people, and the meters that know how far it is. */
export function wireSinks(parts: SinkParts): { sinks: Sinks; trackers: Trackers; meters: readonly SinkMeter[] } {
  const { settings, cwd, db, store, runtime, runs, events, records, checkpoints, paths, redactor, cancel } = parts;
  const { now, steady, log } = parts;
  const locationOf = (id: CheckpointId) => locateCheckpoint(id, { s3: settings.s3, home: settings.home });
  const factories: TrackerFactory[] = [
    wandbTrackers({
      ...{ settings: settings.wandb, records, redactor, now, steady },
      modelConfig: async (run) => await readConfig(runs.get(run)?.model_directory ?? '').catch(() => null),
      onStop: obeyStop({ runs, events, cancel }),
    }),
    (target) => createTensorboardTracker({ target, records, paths, redactor, now, log }),
    (target) =>
      createMlflowTracker({
        ...{ target, records, checkpoints, settings: settings.mlflow, locationOf, redactor, now, steady },
      }),
  ];
  const [fileMeter, trackerMeter] = [createSinkMeter({ records }), createSinkMeter({ records })];
  const trackers = createTrackers({ db, records, checkpoints, meter: trackerMeter, factories, now, log });
  const sinks = createSinks({
    ...{ records, checkpoints, trackers, runtime, store, redactor, now, log },
    meter: fileMeter,
    baseDirectory: cwd,
    roots: settings.dataRoots,
    limits: settings.logLimits,
  });
  return { sinks, trackers, meters: [fileMeter, trackerMeter] };
}
