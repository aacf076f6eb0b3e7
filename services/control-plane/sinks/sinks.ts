import { join } from 'node:path';
import { removeTemporaries } from '../../platform/atomic-file.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import type { Redactor } from '../../platform/redaction.ts';
import { backoffMs, pause } from '../../platform/retry.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { RecordService } from '../records/record.service.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import { createEvaluationFilesSink } from './evaluation-files.sink.ts';
import { logFilePaths } from './log-file-paths.ts';
import { createLogArchiveSink } from './log-archive.sink.ts';
import { createLogFileSink } from './log-files.sink.ts';
import { createOutputTreeSink } from './output-tree.sink.ts';
import { createRoleOutputSink, roleOutputPaths } from './role-output.sink.ts';
import type { LogLimits } from './rotated-files.ts';
import type { Sink, SinkTarget } from './sink.ts';
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

/** How often it is looked what programs have printed. */
const OUTPUT_MS = 1000;
const RETRY = { baseMs: 1000, maxMs: 60_000 };

export function createSinks({
  records,
  checkpoints,
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
  runtime: Pick<Runtime, 'outputs'>;
  /** Where log files are kept beyond the run's tree. */
  store: Pick<ObjectStore, 'put' | 'list'>;
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
    return [
      ...files.map((file) => createLogFileSink({ target, records, file, logs, limits })),
      ...outputs.map((output) => createRoleOutputSink({ ...output, target, runtime, logs, limits, redactor, now })),
      createLogArchiveSink({ target, store, logs }),
      createEvaluationFilesSink({ target, records }),
      // What an evaluation measures was trained, and is shown, elsewhere.
      ...(target.spec.task === 'evaluate'
        ? []
        : [
            createTrainingLogSink({ target, records, checkpoints, now }),
            createOutputTreeSink({ target, checkpoints }),
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
      const looking = setInterval(wake('output'), OUTPUT_MS).unref();
      open.set(target.run, {
        runners,
        end: () => {
          clearInterval(looking);
          for (const each of unsubscribe) each();
        },
      });
      for (const runner of runners) runner.wake();
    },

    finish(run, signal) {
      const runners = open.get(run)?.runners ?? [];
      const stopped = Promise.all([stop(run), finishing.get(run)]);
      const until = signal === undefined ? closing.signal : AbortSignal.any([closing.signal, signal]);
      const done = stopped.then(async () => {
        const finish = (which: SinkRunner[]) => Promise.all(which.map((runner) => runner.finish(until)));
        const written = await finish(runners.filter(({ sink }) => !sink.last));
        written.push(...(await finish(runners.filter(({ sink }) => sink.last))));
        if (finishing.get(run) === done) finishing.delete(run);
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

interface SinkRunner {
  sink: Sink;
  wake(): void;
  stop(): Promise<void>;
  /** After `stop`: one more time, for the end of the run. Says whether all is written. */
  finish(signal: AbortSignal): Promise<boolean>;
}

/** Runs one sink, one call at a time; a wake-up during a call leads to another one, a failure to another try after a pause. */
function createSinkRunner({
  sink,
  run,
  after,
  log,
  wait,
}: {
  sink: Sink;
  run: string;
  after: Promise<unknown>;
  log: Logger;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}): SinkRunner {
  const stopped = new AbortController();
  let wanted = false;
  let running: Promise<void> | null = null;
  let failures = 0;

  const attempt = async (final: boolean, signal: AbortSignal): Promise<boolean> => {
    try {
      await sink.catchUp(final, signal);
      failures = 0;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      failures += 1;
      log.error('A file of a run could not be written; it is tried again.', { run, sink: sink.name, failures, error });
      return false;
    }
  };

  const loop = async () => {
    await after;
    while (wanted && !stopped.signal.aborted) {
      wanted = false;
      if (await attempt(false, stopped.signal)) continue;
      wanted = true;
      await wait(backoffMs({ failures, ...RETRY }), stopped.signal);
    }
  };

  const start = () => {
    if (stopped.signal.aborted) return;
    running ??= loop().finally(() => {
      running = null;
      if (wanted) start();
    });
  };

  return {
    sink,
    wake() {
      wanted = true;
      start();
    },
    async stop() {
      stopped.abort();
      await running;
    },
    finish: (signal) => attempt(true, signal),
  };
}
