import { join } from 'node:path';
import { runSpecSchema } from '../../../services/contracts/run-spec.ts';
import { createSinkMeter } from '../../../services/control-plane/sinks/sink-meter.ts';
import { createSinks } from '../../../services/control-plane/sinks/sinks.ts';
import { createMlflowTracker } from '../../../services/control-plane/trackers/mlflow/mlflow.tracker.ts';
import { createTensorboardTracker } from '../../../services/control-plane/trackers/tensorboard/tensorboard.tracker.ts';
import { createTrackers } from '../../../services/control-plane/trackers/trackers.ts';
import { wandbTrackers } from '../../../services/control-plane/trackers/wandb/wandb-factory.ts';
import { openFileStore } from '../../../services/platform/file-store.ts';
import { createRedactor } from '../../../services/platform/redaction.ts';
import { openBenchRecords, quietLog, stepRecords } from './bench-records.ts';

/*
 * Usage: `sinks-main.js <directory> <W&B's URL> <its key> <MLflow's URL>`, forked. Takes the records of steps in, as a control plane does: each message names a run and how many steps it
 * has made. The sinks and trackers of `run-withsink` are open, those of `run-without0` are not. Answers each message, with what the sinks have yet to take.
 */
const [directory, wandbUrl, wandbKey, mlflowUrl] = process.argv.slice(2) as [string, string, string, string];
const { db, records } = openBenchRecords(directory);
// Each forgets the figures of a run when it is opened.
const [fileMeter, meter] = [createSinkMeter({ records }), createSinkMeter({ records })];
const redactor = createRedactor({});
const checkpoints = {
  ...{ resolve: () => undefined, list: () => [], subscribe: () => () => undefined },
  shown: () => ({ steps: [], best: undefined, final: undefined }),
} as never;
const [now, steady, log] = [Date.now, () => performance.now(), quietLog];
const unused = (): never => {
  throw new Error('the runs of this bench name no directory of their own and are not stopped');
};
const trackers = createTrackers({
  ...{ db, records, checkpoints, meter, now, log },
  factories: [
    wandbTrackers({
      settings: {
        ...{ apiKey: wandbKey, baseUrl: wandbUrl, project: 'bench', entity: null, runId: null, directory: null },
      },
      ...{ records, redactor, now, steady, onStop: unused, modelConfig: async () => null },
    }),
    (target) =>
      createTensorboardTracker({ target, records, paths: { absolute: unused, writable: unused }, redactor, now, log }),
    (target) =>
      createMlflowTracker({
        settings: { trackingUri: mlflowUrl, experiment: 'bench', authorization: null },
        ...{ target, records, checkpoints, locationOf: unused, redactor, now, steady },
      }),
  ],
});
const sinks = createSinks({
  records,
  checkpoints,
  trackers,
  meter: fileMeter,
  runtime: { outputs: async () => [] },
  store: openFileStore(join(directory, 'kept')),
  redactor,
  limits: { fileBytes: 2e7, runBytes: 5e8, runFiles: 100 },
  baseDirectory: directory,
  roots: [],
  now: () => performance.now(),
  log: quietLog,
});
const RUN = 'run-withsink';
sinks.open({
  run: RUN,
  spec: runSpecSchema.parse({
    model: { name: 'models/tiny' },
    training: { logging_steps: 1 },
    monitoring: { enable_wandb: true, enable_tensorboard: true, enable_mlflow: true },
  }),
  tree: join(directory, 'tree'),
  outputDir: 'outputs/run',
  levels: () => ({ training: 'DEBUG', rollout: 'DEBUG', eval: 'DEBUG', performance: 'DEBUG' }),
  parent: null,
  status: () => 'running',
});

process.on('message', ({ run, steps }: { run: string; steps: number }) => {
  let n = records.high(run, 1);
  const step = n / 6;
  const batch = Array.from({ length: steps }, (_, at) => stepRecords(step + at + 1, () => ++n)).flat();
  void records.ingest(run, 1, batch).then(() => process.send?.({ behind: [...fileMeter.read(), ...meter.read()] }));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ behind: [] });
