import type { RunEvent } from '../../contracts/event.ts';
import { endedStatuses, type RunStatus } from '../../contracts/run.ts';
import type { EventStore } from '../events/event.store.ts';
import { formatCursor } from '../records/cursor.ts';
import type { RecordService } from '../records/record.service.ts';
import type { Cursor, RecordEntry, RecordFilter } from '../records/record-types.ts';
import { follow } from './follow.ts';
import { type Exchange, STREAMED } from './handlers.ts';
import type { SharedReads } from './shared-reads.ts';
import type { StreamMessage, Streams } from './sse.ts';

/** Records or events read at a time for a follower: bounds the memory of one. */
const FOLLOW_PAGE = 200;

export interface StreamServices {
  /** Status of a run; undefined where there is none. */
  statusOf: (run: string) => RunStatus | undefined;
  events: Pick<EventStore, 'list' | 'last' | 'subscribe'>;
  records: Pick<RecordService, 'since' | 'end' | 'subscribe'>;
  streams: Streams;
}

/** The same for streams, whose reads followers share. */
export interface SharedStreamServices extends StreamServices {
  shared: SharedReads;
}

type Streamed = typeof STREAMED | { status: 204 };

/** Streams the events of a run after an id until it has ended. `resumed`: the client was here before, so there may be nothing left for it. */
export async function streamEvents(
  { events, statusOf, streams, shared }: SharedStreamServices,
  exchange: Exchange,
  { run, after, resumed }: { run: string; after: number; resumed: boolean },
): Promise<Streamed> {
  if (resumed && isOver(statusOf(run)) && events.list(run, { after, limit: 1 }).length === 0) return { status: 204 };
  let seen = after;
  const toMessage = (event: RunEvent): StreamMessage => ({ id: String(event.id), event: event.name, data: event });
  const readPage = async () => events.list(run, { after: seen, limit: FOLLOW_PAGE }).map(toMessage);
  await follow({
    stream: streams.open(exchange, 'sse'),
    read: async () => {
      const messages = await shared(`events ${run} ${seen} ${events.last(run)}`, readPage);
      seen = Number(messages.at(-1)?.id ?? seen);
      return { messages, more: messages.length === FOLLOW_PAGE };
    },
    subscribe: (wake) => events.subscribe(run, wake),
    ending: () => endingOf(statusOf(run)),
  });
  return STREAMED;
}

export interface RecordStream {
  run: string;
  format: 'sse' | 'text';
  filter: RecordFilter;
  /** The same for streams whose `filter` and `toMessages` are the same. */
  view: string;
  toMessages: (entries: readonly RecordEntry[]) => StreamMessage[];
  from: Cursor;
  /** Whether the client has been here before: then there may be nothing left for it. */
  resumed?: boolean;
  /** Messages sent before those after `from`. */
  first?: StreamMessage[];
}

/** Streams the records of a run after a cursor, as the messages that are made from them, until it has ended. */
export async function streamRecords(
  services: SharedStreamServices,
  exchange: Exchange,
  wanted: RecordStream,
): Promise<Streamed> {
  const { records, events, statusOf, streams, shared } = services;
  const { run, format, filter, view, toMessages, from, resumed = false, first = [] } = wanted;
  if (resumed && isOver(statusOf(run)) && (await records.since(run, from, { filter, limit: 1 })).entries.length === 0) {
    return { status: 204 };
  }
  const stream = streams.open(exchange, format);
  for (const message of first) await stream.send(message);
  let cursor = from;
  const readPage = async () => {
    const { entries, ...rest } = await records.since(run, cursor, { filter, limit: FOLLOW_PAGE });
    return { messages: toMessages(entries), ...rest };
  };
  await follow({
    stream,
    read: async () => {
      // With the end in the key nobody joins a read that began before what it was woken for was there.
      const end = records.end(run);
      const key = `${view} ${run} ${formatCursor(cursor)} ${cursor.offset} ${formatCursor(end)}`;
      const page = await shared(key, readPage);
      cursor = page.cursor;
      return page;
    },
    subscribe: (wake) => {
      const unsubscribe = [records.subscribe(run, wake), events.subscribe(run, wake)];
      return () => {
        for (const stop of unsubscribe) stop();
      };
    },
    ending: () => endingOf(statusOf(run)),
  });
  return STREAMED;
}

function isOver(status: RunStatus | undefined): boolean {
  return status === undefined || endedStatuses.includes(status);
}

function endingOf(status: RunStatus | undefined): Record<string, unknown> | null {
  return isOver(status) ? { status: status ?? 'deleted' } : null;
}
