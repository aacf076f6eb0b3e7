import type { TrackerStatus } from '../../contracts/tracker.ts';
import type { Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logger.ts';
import { pause } from '../../platform/retry.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { RecordService } from '../records/record.service.ts';
import type { SinkTarget } from '../sinks/sink.ts';
import type { SinkMeter } from '../sinks/sink-meter.ts';
import { createSinkRunner, type SinkRunner } from '../sinks/sink-runner.ts';
import { createOwedRuns } from './owed-runs.ts';
import type { Tracker, TrackerFactory } from './tracker.ts';
import { unreadableStatus } from './unreadable-status.ts';

/** The trackers of all runs. Each has a loop of its own, so one that hangs holds up neither training nor another one. */
export interface Trackers {
  /** Starts, or with a changed spec restarts, those of a run. */
  open(target: SinkTarget): void;
  /**
   * The run has ended. Those that write files do it now; those that talk to a server go on by themselves until it has everything, in the next process
   * too. False when files could not be written, or it could not be noted what the next process is to send.
   */
  finish(run: string, signal: AbortSignal): Promise<boolean>;
  /** Runs that had ended and were still owed to a server when an earlier process ended, or were going on. */
  owed(): string[];
  /** Goes on with such a run. */
  settle(target: SinkTarget): void;
  /** Ends those of a run that is being deleted; what was not sent is not sent any more. */
  forget(run: string): Promise<void>;
  /** One whose files cannot be read is told as such, beside the others. */
  status(target: SinkTarget): Promise<TrackerStatus[]>;
  /** Ends all where they are; they go on from there when they are opened again. */
  close(): Promise<void>;
}

export function createTrackers({
  db,
  records,
  checkpoints,
  meter,
  factories,
  now,
  log,
  wait = pause,
}: {
  db: Database;
  records: Pick<RecordService, 'subscribe' | 'count'>;
  checkpoints: Pick<CheckpointService, 'subscribe'>;
  meter: Pick<SinkMeter, 'watch' | 'forget'>;
  factories: readonly TrackerFactory[];
  now: () => number;
  log: Logger;
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}): Trackers {
  interface Entry {
    followers: { tracker: Tracker; runner: SinkRunner }[];
    unsubscribe: (() => void)[];
    /** Whether the next process knows what a server is owed. */
    noted: boolean;
    /** Ends what goes on after the end of the run. */
    ended: AbortController;
    /** The last writing of those that write files. */
    writing: Promise<unknown>;
    /** All that still goes on, files and servers. It never rejects. */
    settling: Promise<unknown>;
  }
  const owed = createOwedRuns({ db });
  const open = new Map<string, Entry>();
  /** Of a run that is opened again, the loops before; two must never send at a time. */
  const stopping = new Map<string, Promise<unknown>>();

  const make = (target: SinkTarget) => factories.map((factory) => factory(target)).filter((made) => made !== null);

  const stop = (run: string): Promise<unknown> => {
    const entry = open.get(run);
    open.delete(run);
    meter.forget(run);
    if (entry === undefined) return stopping.get(run) ?? Promise.resolve();
    for (const each of entry.unsubscribe) each();
    entry.ended.abort();
    const stopped = Promise.all([
      stopping.get(run),
      ...entry.followers.map(({ runner }) => runner.stop()),
      entry.settling,
    ]).finally(() => {
      for (const { tracker } of entry.followers) tracker.close?.();
      if (stopping.get(run) === stopped) stopping.delete(run);
    });
    stopping.set(run, stopped);
    return stopped;
  };

  /** A full disk keeps no tracker from sending; what could not be noted is noted at the end of the run. */
  const note = (run: string): boolean => {
    try {
      owed.add(run);
      return true;
    } catch (error) {
      log.error(
        'It could not be noted that trackers are owed the records of a run; they get them, and it is tried again at its end.',
        {
          run,
          error,
        },
      );
      return false;
    }
  };

  const sendRest = async (run: string, { followers, ended: { signal } }: Entry) => {
    const remote = followers.filter(({ tracker }) => tracker.remote);
    await Promise.all(
      remote.map(async ({ runner }) => {
        while (!signal.aborted && !(await runner.finish(signal))) await wait(runner.retryMs(), signal);
      }),
    );
    if (signal.aborted) return;
    try {
      owed.remove(run);
    } catch (error) {
      log.error(
        'Trackers have all of a run, which could not be noted; the next start of the control plane sends it again.',
        {
          run,
          error,
        },
      );
    }
  };

  /** Nothing writes any more, and nothing is to be sent. */
  const drop = (run: string, entry: Entry) => {
    if (open.get(run) !== entry) return;
    open.delete(run);
    meter.forget(run);
  };

  const trackers: Trackers = {
    open(target) {
      const { run } = target;
      const before = stop(run);
      const made = make(target);
      if (made.length === 0) return;
      const followers = made.map((tracker) => ({
        tracker,
        runner: createSinkRunner({ sink: meter.watch(run, 'tracker', tracker), run, after: before, log, wait }),
      }));
      const wake = (source: 'records' | 'checkpoints') => () => {
        for (const { runner, tracker } of followers) if (tracker.wakesOn.includes(source)) runner.wake();
      };
      open.set(run, {
        followers,
        unsubscribe: [records.subscribe(run, wake('records')), checkpoints.subscribe(run, wake('checkpoints'))],
        noted: !made.some(({ remote }) => remote) || note(run),
        ended: new AbortController(),
        writing: Promise.resolve(),
        settling: Promise.resolve(),
      });
      for (const { runner } of followers) runner.wake();
    },

    async finish(run, signal) {
      const entry = open.get(run);
      if (entry === undefined) return true;
      for (const each of entry.unsubscribe.splice(0)) each();
      entry.noted ||= note(run);
      const stopped = Promise.all(entry.followers.map(({ runner }) => runner.stop()));
      const until = AbortSignal.any([signal, entry.ended.signal]);
      const local = entry.followers.filter(({ tracker }) => !tracker.remote);
      const writing = Promise.all([stopped, entry.writing]).then(() =>
        Promise.all(local.map(({ runner }) => runner.finish(until))),
      );
      entry.writing = writing;
      const sent = Promise.all([stopped, entry.settling]).then(() => sendRest(run, entry));
      const settling: Promise<unknown> = Promise.all([writing, sent]).then(() => {
        if (entry.settling === settling) drop(run, entry);
      });
      entry.settling = settling;
      return (await writing).every((written) => written) && entry.noted;
    },

    owed: owed.all,
    settle(target) {
      if (open.has(target.run)) return;
      trackers.open(target);
      void trackers.finish(target.run, new AbortController().signal);
    },

    async forget(run) {
      await stop(run);
      owed.remove(run);
    },

    status: (target) => {
      const { run } = target;
      const all = open.get(run)?.followers.map(({ tracker }) => tracker) ?? make(target);
      return Promise.all(
        all.map((tracker) =>
          tracker
            .status()
            .catch((error: unknown) => unreadableStatus(tracker, { error, backlog: records.count(run), now: now() })),
        ),
      );
    },

    async close() {
      await Promise.all([...[...open.keys()].map(stop), ...stopping.values()]);
    },
  };
  return trackers;
}
