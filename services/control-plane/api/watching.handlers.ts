import { metricDefinition } from '../../contracts/metrics.ts';
import type { Operations } from '../../contracts/operations.ts';
import type { MetricsRecord } from '../../contracts/record.ts';
import { formatCursor, START } from '../records/cursor.ts';
import type { RecordService } from '../records/record.service.ts';
import type { Cursor, LogLine, RecordEntry, RecordFilter } from '../records/record-types.ts';
import { renderLine } from '../sinks/render-line.ts';
import { type Exchange, type Handlers, STREAMED } from './handlers.ts';
import { cursorOf, eventIdOf } from './last-event-id.ts';
import { ProblemError } from './problem-error.ts';
import { createSharedReads } from './shared-reads.ts';
import type { StreamMessage } from './sse.ts';
import { type SharedStreamServices, type StreamServices, streamEvents, streamRecords } from './watching-streams.ts';

const SSE = 'text/event-stream';
const TEXT = 'text/plain';
const JSON_TYPE = 'application/json';

export interface WatchingServices extends StreamServices {
  records: Pick<RecordService, 'logs' | 'metrics' | 'evaluations' | 'since' | 'end' | 'subscribe'>;
}

type WatchingHandlers = Pick<Handlers<Operations>, 'listEvents' | 'getLogs' | 'getMetrics' | 'listEvaluations'>;

/** Reading what happens to a run: events, logs, metrics and evaluations, as documents or as streams. */
export function createWatchingHandlers(options: WatchingServices): WatchingHandlers {
  const services: SharedStreamServices & WatchingServices = { ...options, shared: createSharedReads() };
  const { statusOf, events, records } = services;
  const requireRun = (run: string) => {
    if (statusOf(run) === undefined)
      throw new ProblemError('not-found', `There is no run ${run}; GET /runs lists those there are.`);
  };

  return {
    listEvents: async ({ params: { id }, query, headers }, exchange) => {
      requireRun(id);
      const last = eventIdOf(headers['last-event-id']);
      const after = last ?? query.after;
      if (!query.follow) {
        choose(exchange, [JSON_TYPE]);
        return { status: 200, body: { events: events.list(id, { after, limit: query.limit }) } };
      }
      choose(exchange, [SSE]);
      return await streamEvents(services, exchange, { run: id, after, resumed: last !== undefined });
    },

    getLogs: async ({ params: { id }, query, headers }, exchange) => {
      requireRun(id);
      const wanted = { component: query.component, level: query.level, attempt: query.attempt };
      const tailOf = (tail: number) => records.logs({ run: id, ...wanted, tail });
      if (!query.follow) {
        const media = choose(exchange, [JSON_TYPE, TEXT]);
        const lines = await tailOf(query.tail);
        if (media === JSON_TYPE) return { status: 200, body: { lines } };
        exchange.response.type(TEXT).send(lines.map((line) => `${renderLine(line)}\n`).join(''));
        return STREAMED;
      }
      const format = choose(exchange, [SSE, TEXT]) === SSE ? 'sse' : 'text';
      const filter: RecordFilter = {
        kinds: ['log'],
        level: query.level,
        ...(query.component === undefined ? {} : { components: [query.component] }),
        ...(query.attempt === undefined ? {} : { attempt: query.attempt }),
      };
      const view = JSON.stringify(['logs', format, filter]);
      const toMessage = (line: LogLine): StreamMessage =>
        format === 'text'
          ? { data: renderLine(line) }
          : { id: formatCursor({ attempt: line.attempt, n: line.n }), event: 'log', data: line };
      const toMessages = (entries: readonly RecordEntry[]) =>
        entries.flatMap(({ attempt, record }) => (record.kind === 'log' ? [toMessage({ ...record, attempt })] : []));

      const last = cursorOf(headers['last-event-id']);
      if (last !== undefined) {
        return await streamRecords(services, exchange, {
          run: id,
          format,
          filter,
          view,
          toMessages,
          from: last,
          resumed: true,
        });
      }
      // Read before the tail: whatever comes in between is then in the tail or after it.
      const end = records.end(id);
      const tail = await tailOf(query.tail);
      const newest = tail.at(-1);
      const from = newest !== undefined && isAfter(newest, end) ? { attempt: newest.attempt, n: newest.n } : end;
      return await streamRecords(services, exchange, {
        run: id,
        format,
        filter,
        view,
        toMessages,
        from,
        first: tail.map(toMessage),
      });
    },

    getMetrics: async ({ params: { id }, query, headers }, exchange) => {
      requireRun(id);
      const names = query.names?.split(',').map((name) => name.trim());
      if (!query.follow) {
        choose(exchange, [JSON_TYPE]);
        const { from_step: fromStep, to_step: toStep, points } = query;
        const found = await records.metrics({ run: id, names, fromStep, toStep, points });
        const series = found.map(({ name, steps, values }) => {
          const { unit = null, description = null } = metricDefinition(name) ?? {};
          return { name, unit, description, steps, values };
        });
        return { status: 200, body: { series } };
      }
      choose(exchange, [SSE]);
      const last = cursorOf(headers['last-event-id']);
      const toMessages = (entries: readonly RecordEntry[]) =>
        entries.flatMap(({ attempt, record }) =>
          record.kind === 'metrics' ? metricMessage(attempt, record, names, query) : [],
        );
      return await streamRecords(services, exchange, {
        run: id,
        format: 'sse',
        filter: { kinds: ['metrics'] },
        view: JSON.stringify(['metrics', names, query.from_step, query.to_step]),
        toMessages,
        from: last ?? START,
        resumed: last !== undefined,
      });
    },

    listEvaluations: async ({ params: { id } }) => {
      requireRun(id);
      return { status: 200, body: { evaluations: records.evaluations(id) } };
    },
  };
}

function metricMessage(
  attempt: number,
  record: MetricsRecord,
  names: readonly string[] | undefined,
  { from_step, to_step }: { from_step: number; to_step?: number | undefined },
): StreamMessage[] {
  if (record.step < from_step || record.step > (to_step ?? Number.POSITIVE_INFINITY)) return [];
  const values = Object.fromEntries(Object.entries(record.values).filter(([name]) => names?.includes(name) ?? true));
  if (Object.keys(values).length === 0) return [];
  return [{ id: formatCursor({ attempt, n: record.n }), event: 'metrics', data: { ...record, attempt, values } }];
}

function isAfter(a: Cursor, b: Cursor): boolean {
  return a.attempt > b.attempt || (a.attempt === b.attempt && a.n > b.n);
}

function choose(exchange: Exchange, media: readonly string[]): string {
  const chosen = exchange.accepts(media);
  if (chosen !== undefined) return chosen;
  const streams = media.includes(SSE);
  throw new ProblemError(
    'not-acceptable',
    `This answers ${media.join(', ')}; change the header Accept, or ${streams ? 'leave follow out' : 'add follow=true for a stream'}.`,
  );
}
