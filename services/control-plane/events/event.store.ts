import { EventEmitter } from 'node:events';
import type { EventName, RunEvent } from '../../contracts/event.ts';
import type { Reason } from '../../contracts/reason.ts';
import type { RunStatus } from '../../contracts/run.ts';
import type { Database } from '../../platform/database.ts';
import { createRedactor, type Redactor } from '../../platform/redaction.ts';

export interface NewEvent {
  run: string;
  name: EventName;
  actor: RunEvent['actor'];
  attempt?: number | null;
  status?: RunStatus | null;
  reason?: Reason | null;
  message: string;
  data?: Record<string, unknown>;
}

export interface EventStore {
  /** Writes an event, numbered within its run. Called inside the transaction of the change that it describes. */
  append(event: NewEvent): RunEvent;
  /** Events with an id above `after`, oldest first, at most `limit`. */
  list(run: string, page: { after: number; limit: number }): RunEvent[];
  /** Id of the newest event of the run; 0 where there is none. */
  last(run: string): number;
  /** Calls `listener` with each event once it is committed, until the returned function is called. */
  subscribe(run: string, listener: (event: RunEvent) => void): () => void;
  /** Calls `listener` with each event of any run once it is committed. */
  subscribeAll(listener: (run: string, event: RunEvent) => void): () => void;
  /** Writes events as they were, ids and times included, for a database that is rebuilt. */
  restore(run: string, events: readonly RunEvent[]): void;
}

interface EventRow {
  id: number;
  time: number;
  name: EventName;
  actor: RunEvent['actor'];
  attempt: number | null;
  status: RunStatus | null;
  reason: Reason | null;
  message: string;
  data: string;
}

/** No run has this name. */
const ANY = Symbol('any run');

/** What happened to each run and why; written once, without secrets, never changed. */
export function createEventStore({
  db,
  now,
  redactor = createRedactor({}),
}: {
  db: Database;
  now: () => number;
  redactor?: Redactor;
}): EventStore {
  const committed = new EventEmitter().setMaxListeners(0);
  const last = (run: string) =>
    db.get<{ last: number }>('SELECT coalesce(max(id), 0) AS last FROM events WHERE run = :run', { run })?.last ?? 0;
  const insert = (run: string, row: EventRow) => {
    db.run(
      `INSERT INTO events (run, id, time, name, actor, attempt, status, reason, message, data)
       VALUES (:run, :id, :time, :name, :actor, :attempt, :status, :reason, :message, :data)`,
      { run, ...row },
    );
  };

  return {
    append: (event) => {
      const row: EventRow = {
        id: last(event.run) + 1,
        time: now(),
        name: event.name,
        actor: event.actor,
        attempt: event.attempt ?? null,
        status: event.status ?? null,
        reason: event.reason ?? null,
        message: redactor.text(event.message),
        data: JSON.stringify(redactor.value(event.data ?? {})),
      };
      insert(event.run, row);
      const written = toEvent(row);
      db.afterCommit(() => {
        committed.emit(event.run, written);
        committed.emit(ANY, event.run, written);
      });
      return written;
    },
    list: (run, { after, limit }) =>
      db
        .all<EventRow>('SELECT * FROM events WHERE run = :run AND id > :after ORDER BY id LIMIT :limit', {
          run,
          after,
          limit,
        })
        .map(toEvent),
    last,
    subscribe: (run, listener) => {
      committed.on(run, listener);
      return () => committed.off(run, listener);
    },
    subscribeAll: (listener) => {
      committed.on(ANY, listener);
      return () => committed.off(ANY, listener);
    },
    restore: (run, events) => {
      for (const { time, data, ...event } of events) {
        insert(run, { ...event, time: Date.parse(time), data: JSON.stringify(data) });
      }
    },
  };
}

function toEvent(row: EventRow): RunEvent {
  return {
    id: row.id,
    time: new Date(row.time).toISOString(),
    name: row.name,
    actor: row.actor,
    attempt: row.attempt,
    status: row.status,
    reason: row.reason,
    message: row.message,
    data: JSON.parse(row.data) as Record<string, unknown>,
  };
}
