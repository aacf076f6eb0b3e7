import { join } from 'node:path';
import { restStatuses } from '../../contracts/run.ts';
import type { Logger } from '../../platform/logger.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { serialByKey } from '../../platform/serial-by-key.ts';
import type { AttemptStore } from '../attempts/attempt.store.ts';
import type { EventStore } from '../events/event.store.ts';
import { type EventFile, openEventFile } from '../events/event-file.ts';
import type { RecordService } from '../records/record.service.ts';
import { logPrefix } from '../sinks/log-archive.sink.ts';
import type { RunStore } from './run.store.ts';
import { renderRunFile, runFileKey } from './run-file.ts';

/**
 * What the database alone would know of runs, as files beside it: `runs/<id>/run.json` in the object store and `events.jsonl` beside the run's records.
 * They follow every event; `./scripts/rebuild.sh` makes a database from them.
 */
export interface RunFiles {
  /** Brings the files of a run up to date. */
  save(run: string): Promise<void>;
  /** Resolves once what the events of a run have asked for so far is written, or has failed and is in the log. */
  settled(run: string): Promise<void>;
  /** Brings the files of runs up to date, one after another beside other work: a kill may have come between a change and its files. */
  sweep(runs: readonly string[]): void;
  /** Deletes `run.json` and the kept log files; what is beside the records goes with them. */
  remove(run: string): Promise<void>;
  /** Ends the following of events, after what is under way. */
  close(): Promise<void>;
}

export interface RunFilesOptions {
  runs: Pick<RunStore, 'get'>;
  attempts: Pick<AttemptStore, 'list' | 'roles'>;
  events: Pick<EventStore, 'list' | 'last' | 'subscribeAll'>;
  records: Pick<RecordService, 'resumePoints'>;
  store: Pick<ObjectStore, 'put' | 'delete' | 'list'>;
  /** `<TANDEM_HOME>/records` */
  directory: string;
  log: Logger;
}

export function createRunFiles({ runs, attempts, events, records, store, directory, log }: RunFilesOptions): RunFiles {
  const serial = serialByKey();
  const open = new Map<string, { file: EventFile; saved: string }>();
  const waiting = new Set<string>();
  const underWay = new Set<Promise<void>>();

  const write = async (id: string) => {
    waiting.delete(id);
    const run = runs.get(id);
    if (run === undefined) return;
    let entry = open.get(id);
    if (entry === undefined) {
      entry = { file: await openEventFile(eventFilePath(directory, id)), saved: '' };
      open.set(id, entry);
    }
    try {
      await entry.file.append(id, events);
      const text = renderRunFile(run, { attempts, records });
      if (text !== entry.saved) await store.put(runFileKey(id), Buffer.from(text));
      entry.saved = text;
    } catch (error) {
      open.delete(id);
      throw error;
    }
    if (restStatuses.includes(run.status)) open.delete(id);
  };
  const save = (id: string) => serial(id, () => write(id));

  const saveQuietly = (id: string) =>
    save(id).catch((error: unknown) => {
      // The run itself is safe in the database; its copy is written again with its next event, and before it is at rest.
      log.error('The files of a run that its database could be rebuilt from were not written.', { run: id, error });
    });
  const follow = (work: Promise<void>) => {
    underWay.add(work);
    void work.finally(() => underWay.delete(work));
  };
  let closing = false;

  const unsubscribe = events.subscribeAll((id) => {
    if (waiting.has(id)) return;
    waiting.add(id);
    follow(saveQuietly(id));
  });

  return {
    save,
    settled: (id) => serial(id, async () => undefined),
    sweep: (ids) => {
      const all = async () => {
        for (const id of ids) {
          if (closing) return;
          await saveQuietly(id);
        }
      };
      follow(all());
    },
    remove: (id) =>
      serial(id, async () => {
        open.delete(id);
        for await (const { key } of store.list(logPrefix(id))) await store.delete(key);
        await store.delete(runFileKey(id));
      }),
    close: async () => {
      closing = true;
      unsubscribe();
      await Promise.all(underWay);
    },
  };
}

export function eventFilePath(directory: string, run: string): string {
  return join(directory, run, 'events.jsonl');
}
