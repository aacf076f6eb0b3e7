import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { TrainerRecord } from '../../contracts/record.ts';
import type { RunStatus } from '../../contracts/run.ts';
import { type Database, openDatabase } from '../../platform/database.ts';
import { createLogger } from '../../platform/logger.ts';
import { createEventStore, type EventStore } from '../events/event.store.ts';
import { createRecordService, type RecordService } from '../records/record.service.ts';
import { migrations } from '../schema.ts';
import { createStreams, STREAM_SETTINGS } from './sse.ts';
import { problemOf, servePublic, type TestServer } from './testing.ts';
import { createWatchingHandlers } from './watching.handlers.ts';

const RUN = 'run-7k3m9q2d';
let directory: string;
let db: Database;
let records: RecordService;
let events: EventStore;
let status: RunStatus | undefined;
let server: TestServer;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-watching-'));
  db = openDatabase({ path: join(directory, 'test.db'), migrations });
  db.run(
    `INSERT INTO runs (id, method, status, reason, message, priority, labels, spec, warnings, profile, output_dir, tree, model_directory,
     start_from, created_at, queued_at)
     VALUES (:id, 'sft', 'running', 'training', '', 50, '{}', '{}', '[]', 'cpu', 'o', 'o', 'm', '{}', 0, 0)`,
    { id: RUN },
  );
  const log = createLogger({ level: 'error', terminal: null });
  records = createRecordService({ db, directory: join(directory, 'records'), now: Date.now, log });
  events = createEventStore({ db, now: () => Date.parse('2026-11-20T09:00:00Z') });
  status = 'running';
  const statusOf = (run: string) => (run === RUN ? status : undefined);
  const handlers = createWatchingHandlers({
    statusOf,
    events,
    records,
    streams: createStreams(STREAM_SETTINGS),
  });
  server = await servePublic(handlers);
});
afterEach(async () => {
  await server.close();
  db.close();
  rmSync(directory, { recursive: true });
});

const base = (n: number) => ({ n, time: '2026-11-20T09:00:00.000Z' });
const line = (n: number, level: 'DEBUG' | 'INFO' | 'ERROR' = 'INFO'): TrainerRecord => ({
  ...base(n),
  kind: 'log',
  component: n % 2 === 0 ? 'rollout' : 'training',
  level,
  message: `line ${n}`,
});
const metrics = (n: number, step: number): TrainerRecord => ({
  ...base(n),
  kind: 'metrics',
  step,
  epoch: 0,
  samples: step,
  values: { 'train/loss': 1 / step, 'train/step': step },
});
const happen = (message: string) => events.append({ run: RUN, name: 'warning', actor: 'control_plane', message });

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${server.url}/runs/${RUN}${path}`, { headers });
const document = async (path: string) => (await get(path)).json() as Promise<Record<string, never>>;

/** A stream being read: what it has sent so far, and all of it once it has ended. */
async function stream(path: string, headers: Record<string, string> = {}) {
  const response = await get(path, headers);
  expect(response.status).toBe(200);
  let text = '';
  const whole = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
      text += decoder.decode(chunk, { stream: true });
    return text;
  })();
  return { soFar: () => text, whole };
}
const idsIn = (text: string) => [...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id);

/** Ends the run as the reconciler does: first the change, then the event that tells. */
function endRun() {
  status = 'succeeded';
  events.append({ run: RUN, name: 'status_changed', actor: 'control_plane', status: 'succeeded', message: 'done' });
}

test('there is nothing to watch of a run that does not exist', async () => {
  for (const what of ['events', 'logs', 'metrics', 'evals', 'events?follow=true', 'logs?follow=1']) {
    expect((await problemOf(await fetch(`${server.url}/runs/run-00000000/${what}`))).kind).toBe('not-found');
  }
});

describe('events', () => {
  test('come as pages after an id', async () => {
    for (const message of ['a', 'b', 'c']) happen(message);
    const { events: page } = (await document('/events?after=1&limit=1')) as unknown as {
      events: { message: string }[];
    };
    expect(page.map(({ message }) => message)).toEqual(['b']);
  });

  test('are streamed until the run has ended, each once', async () => {
    for (const message of ['a', 'b']) happen(message);
    const { soFar, whole } = await stream('/events?follow=true');
    await expect.poll(() => idsIn(soFar())).toEqual(['1', '2']);
    happen('c');
    await expect.poll(() => idsIn(soFar())).toEqual(['1', '2', '3']);
    endRun();
    expect(idsIn(await whole)).toEqual(['1', '2', '3', '4']);
    expect(await whole).toMatch(/event: end\ndata: \{"status":"succeeded"\}\n\n$/);
  });

  test('resume after the last one received', async () => {
    for (const message of ['a', 'b', 'c']) happen(message);
    endRun();
    const { whole } = await stream('/events?follow=true', { 'last-event-id': '2' });
    expect(idsIn(await whole)).toEqual(['3', '4']);
  });

  test('end an EventSource with 204 when the run is over and everything was sent', async () => {
    happen('a');
    endRun();
    expect((await get('/events?follow=true', { 'last-event-id': '2' })).status).toBe(204);
  });

  test('an id that no event has is malformed', async () => {
    expect((await problemOf(await get('/events?follow=true', { 'last-event-id': '1:2' }))).kind).toBe(
      'invalid-request',
    );
  });

  test('a stream that the client does not accept is refused, and so is none that it insists on', async () => {
    expect((await problemOf(await get('/events?follow=true', { accept: 'application/json' }))).detail).toContain(
      'leave follow out',
    );
    expect((await problemOf(await get('/events', { accept: 'text/event-stream' }))).detail).toContain(
      'add follow=true',
    );
  });
});

describe('logs', () => {
  beforeEach(async () => {
    await records.ingest(RUN, 1, [line(1), line(2, 'DEBUG'), metrics(3, 1), line(4, 'ERROR'), line(5)]);
  });

  test('come by component, level and tail', async () => {
    const messages = async (query: string) =>
      ((await document(`/logs${query}`)) as unknown as { lines: { message: string }[] }).lines.map(
        ({ message }) => message,
      );
    expect(await messages('')).toEqual(['line 1', 'line 2', 'line 4', 'line 5']);
    expect(await messages('?level=INFO')).toEqual(['line 1', 'line 4', 'line 5']);
    expect(await messages('?component=rollout')).toEqual(['line 2', 'line 4']);
    expect(await messages('?tail=1')).toEqual(['line 5']);
    expect(await messages('?attempt=2')).toEqual([]);
  });

  test('as text are what a terminal shows', async () => {
    const response = await get('/logs?level=ERROR', { accept: 'text/plain' });
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await response.text()).toBe('2026-11-20 09:00:00 - ERROR - line 4\n');
  });

  test('are streamed from the tail on, across attempts, through the filter, each once', async () => {
    const { soFar, whole } = await stream('/logs?follow=true&level=INFO&tail=2');
    await expect.poll(() => idsIn(soFar())).toEqual(['1:4', '1:5']);
    await records.ingest(RUN, 1, [line(6, 'DEBUG'), line(7)]);
    await records.ingest(RUN, 2, [metrics(1, 2), line(2)]);
    endRun();
    expect(idsIn(await whole)).toEqual(['1:4', '1:5', '1:7', '2:2']);
  });

  test('with tail=0 start with what comes', async () => {
    const { whole } = await stream('/logs?follow=true&tail=0');
    await records.ingest(RUN, 1, [line(6)]);
    endRun();
    expect(idsIn(await whole)).toEqual(['1:6']);
  });

  test('are streamed as text for a terminal', async () => {
    const { whole } = await stream('/logs?follow=true&tail=1', { accept: 'text/plain' });
    await records.ingest(RUN, 1, [line(6)]);
    endRun();
    expect(await whole).toBe('2026-11-20 09:00:00 - INFO - line 5\n2026-11-20 09:00:00 - INFO - line 6\n');
  });

  test('resume after the last line received, whatever the tail', async () => {
    endRun();
    const { whole } = await stream('/logs?follow=true&tail=1', { 'last-event-id': '1:1' });
    expect(idsIn(await whole)).toEqual(['1:2', '1:4', '1:5']);
    expect((await get('/logs?follow=true', { 'last-event-id': '1:5' })).status).toBe(204);
  });

  test('lose and double nothing while a follower reconnects again and again', async () => {
    const received: string[] = [];
    let n = 5;
    for (let round = 0; round < 10; round += 1) {
      const leave = new AbortController();
      const last = received.at(-1);
      const response = await fetch(`${server.url}/runs/${RUN}/logs?follow=true&tail=1000`, {
        headers: last === undefined ? {} : { 'last-event-id': last },
        signal: leave.signal,
      });
      const batch = [n + 1, n + 2, n + 3].map((number) => line(number));
      n += 3;
      const ingested = records.ingest(RUN, 1, batch);
      const decoder = new TextDecoder();
      let text = '';
      try {
        for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
          text += decoder.decode(chunk, { stream: true });
          // Leaves at another place of the batch each time, complete events only counting as received.
          if (idsIn(text.slice(0, text.lastIndexOf('\n\n') + 1)).length > round % 3) leave.abort();
        }
      } catch (error) {
        expect((error as Error).name).toBe('AbortError');
      }
      received.push(...idsIn(text.slice(0, text.lastIndexOf('\n\n') + 1)).map(String));
      await ingested;
    }
    endRun();
    const { whole } = await stream('/logs?follow=true', { 'last-event-id': received.at(-1) ?? '' });
    received.push(...idsIn(await whole).map(String));
    const expected = Array.from({ length: n }, (_, at) => at + 1).filter((number) => number !== 3);
    expect(received).toEqual(expected.map((number) => `1:${number}`));
  });
});

describe('metrics', () => {
  beforeEach(async () => {
    await records.ingest(RUN, 1, [metrics(1, 10), metrics(2, 20), metrics(3, 40)]);
  });

  test('come as series by name and step', async () => {
    expect(await document('/metrics?names=train/step&from_step=20')).toEqual({
      series: [
        { name: 'train/step', unit: 'steps', description: 'Optimizer steps.', steps: [20, 40], values: [20, 40] },
      ],
    });
  });

  test('are streamed by name and step, then as they come', async () => {
    const { whole } = await stream('/metrics?names=train/step&from_step=20&follow=true');
    await records.ingest(RUN, 1, [line(4), metrics(5, 50)]);
    endRun();
    expect(idsIn(await whole)).toEqual(['1:2', '1:3', '1:5']);
    expect(await whole).not.toContain('train/loss');
  });
});

test('evaluations come by step, the baseline first', async () => {
  const evaluation = (n: number, step: number): TrainerRecord => ({
    ...base(n),
    kind: 'evaluation',
    evaluation: {
      step,
      is_baseline: step === -1,
      accuracy: 0.5,
      correct_answers: 1,
      total_samples: 2,
      avg_reward: 0,
      median_reward: 0,
      std_reward: 0,
      min_reward: 0,
      max_reward: 0,
      eval_time: 1,
    },
  });
  await records.ingest(RUN, 1, [evaluation(1, -1), evaluation(2, 10)]);
  const { evaluations } = (await document('/evals')) as unknown as { evaluations: { step: number }[] };
  expect(evaluations.map(({ step }) => step)).toEqual([-1, 10]);
});
