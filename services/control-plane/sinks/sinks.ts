import { join } from 'node:path';
import { removeTemporaries } from '../../platform/atomic-file.ts';
import type { Logger } from '../../platform/logger.ts';
import { pause } from '../../platform/retry.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { RecordService } from '../records/record.service.ts';
import type { Trackers } from '../trackers/trackers.ts';
import { createEvaluationFilesSink } from './evaluation-files.sink.ts';
import { logFilePaths } from './log-file-paths.ts';
import { createLogFileSink } from './log-files.sink.ts';
import { createOutputTreeSink } from './output-tree.sink.ts';
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
  baseDirectory,
  roots,
  now,
  log,
  wait = pause,
}: {
  records: RecordService;
  checkpoints: CheckpointService;
  trackers: Pick<Trackers, 'open' | 'finish'>;
  meter: Pick<SinkMeter, 'watch' | 'forget'>;
  /** What relative log paths of a spec are relative to. */
  baseDirectory: string;
  /** Where log files may lie besides the run's tree. */
  roots: readonly string[];
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
    meter.forget(target.run);
    const watched = (kind: string, sink: Sink) => meter.watch(target.run, kind, sink);
    return [
      ...files.map((file) => watched('log', createLogFileSink({ target, records, file }))),
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
      const wake = (source: 'records' | 'checkpoints') => () => {
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
        const written = await Promise.all([
          ...runners.map((runner) => runner.finish(until)),
          trackers.finish(run, until),
        ]);
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
