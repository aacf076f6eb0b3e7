import { join } from 'node:path';
import { removeTemporaries } from '../../platform/atomic-file.ts';
import type { Logger } from '../../platform/logger.ts';

import type { ObjectStore } from '../../platform/object-store.ts';
import type { Redactor } from '../../platform/redaction.ts';
import { pause } from '../../platform/retry.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { RecordService } from '../records/record.service.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import type { Trackers } from '../trackers/trackers.ts';

import { createEvaluationFilesSink } from './evaluation-files.sink.ts';
import { createLogArchiveSink } from './log-archive.sink.ts';
import { logFilePaths } from './log-file-paths.ts';
import { createLogFileSink } from './log-files.sink.ts';
import { createOutputTreeSink } from './output-tree.sink.ts';
import { createRoleOutputSink, roleOutputPaths } from './role-output.sink.ts';
import type { LogLimits } from './rotated-files.ts';
import type { Sink, SinkTarget } from './sink.ts';
import type { SinkMeter } from './sink-meter.ts';
import { createSinkRunner, type SinkRunner } from './sink-runner.ts';
import { createTrainingLogSink } from './training-log.sink.ts';

/** The sinks of every run that is open: they follow records and checkpoints beside training, and a sink that fails is tried again. */
export interface Sinks {
  /** Starts, or with a changed spec restarts, the sinks of a run; they first catch up with what they missed. */
  open(target: SinkTarget): void;
  /**
   * Lets every sink of a run write all there is, with what belongs to the end of a run, and ends them. False when one could not, or `signal` was
   * aborted: the run is to be opened and finished again. Never rejects.
   */
  finish(run: string, signal?: AbortSignal): Promise<boolean>;
  /** Ends all sinks where they are; they go on from there when they are opened again. */
  close(): Promise<void>;
}

export function createSinks({
  records,
  checkpoints,
  trackers,
  meter,
  runtime,
  store,
  redactor,
  baseDirectory,
  roots,
  limits,
  now,
  log,
  wait = pause,
}: {
  records: RecordService;
  checkpoints: CheckpointService;
  trackers: Pick<Trackers, 'open' | 'finish'>;
  meter: Pick<SinkMeter, 'watch' | 'forget'>;
  runtime: Pick<Runtime, 'outputs'>;
  /** Where log files are kept beyond the run's tree. */
  store: Pick<ObjectStore, 'put' | 'list' | 'delete'>;
  /** Hides secrets in what programs print; records come without. */
  redactor: Redactor;
  /** What relative log paths of a spec are relative to. */
  baseDirectory: string;
  /** Where log files may lie besides the run's tree. */
  roots: readonly string[];
  /** What the log files of one run may take. */
  limits: LogLimits;
  now: () => number;
  log: Logger;
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}): Sinks {
  const open = new Map<string, { runners: SinkRunner[]; end: () => void }>();
  const finishing = new Map<string, Promise<boolean>>();
  const closing = new AbortController();

  const sinksOf = (target: SinkTarget): Sink[] => {
    const { files, warnings } = logFilePaths({ logging: target.spec.logging, tree: target.tree, baseDirectory, roots });
    for (const warning of warnings) log.warn(warning, { run: target.run });
    const outputs = target.spec.logging.log_to_file ? roleOutputPaths(target) : [];
    const logs = [...files, ...outputs].map(({ path }) => path);
    meter.forget(target.run);
    const watched = (kind: string, sink: Sink) => meter.watch(target.run, kind, sink);
    return [
      ...files.map((file) => watched('log', createLogFileSink({ target, records, file, logs, limits }))),
      ...outputs.map((output) => createRoleOutputSink({ ...output, target, runtime, logs, limits, redactor, now })),
      createLogArchiveSink({ target, store, logs }),
      watched('evaluations', createEvaluationFilesSink({ target, records })),
      // What an evaluation measures was trained, and is shown, elsewhere.
      ...(target.spec.task === 'evaluate'
        ? []
        : [
            watched('training_log', createTrainingLogSink({ target, records, checkpoints, now })),
            watched('tree', createOutputTreeSink({ target, checkpoints })),
          ]),
    ];
  };

  const stop = async (run: string) => {
    const entry = open.get(run);
    open.delete(run);
    entry?.end();
    await Promise.all(entry?.runners.map((runner) => runner.stop()) ?? []);
  };

  /** What a killed control plane had half written; nobody writes into the tree yet. */
  const tidy = async ({ tree, run }: SinkTarget) => {
    try {
      for (const directory of [tree, join(tree, 'logs'), join(tree, 'eval_logs')]) await removeTemporaries(directory);
    } catch (error) {
      log.warn('Half-written files of an earlier process could not be removed.', { run, tree, error });
    }
  };

  return {
    open(target) {
      const before = Promise.all([stop(target.run), finishing.get(target.run)]).then(() => tidy(target));
      const runners = sinksOf(target).map((sink) =>
        createSinkRunner({ sink, run: target.run, after: before, log, wait }),
      );
      const wake = (source: Sink['wakesOn'][number]) => () => {
        for (const runner of runners) if (runner.sink.wakesOn.includes(source)) runner.wake();
      };
      const unsubscribe = [
        records.subscribe(target.run, wake('records')),
        checkpoints.subscribe(target.run, wake('checkpoints')),
      ];
      open.set(target.run, {
        runners,
        end: () => {
          for (const each of unsubscribe) each();
        },
      });
      for (const runner of runners) runner.wake();
      trackers.open(target);
    },

    finish(run, signal) {
      const runners = open.get(run)?.runners ?? [];
      const stopped = Promise.all([stop(run), finishing.get(run)]);
      const until = signal === undefined ? closing.signal : AbortSignal.any([closing.signal, signal]);
      const done = stopped.then(async () => {
        const finish = (which: SinkRunner[]) => Promise.all(which.map((runner) => runner.finish(until)));
        const files = finish(runners.filter(({ sink }) => !sink.last));
        const [first, tracked] = await Promise.all([files, trackers.finish(run, until)]);
        const written = [...first, tracked, ...(await finish(runners.filter(({ sink }) => sink.last)))];
        if (finishing.get(run) === done) finishing.delete(run);
        if (!open.has(run)) meter.forget(run);
        return written.every((each) => each);
      });
      finishing.set(run, done);
      return done;
    },

    async close() {
      closing.abort();
      await Promise.all([...[...open.keys()].map(stop), ...finishing.values()]);
    },
  };
}
