import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { TrainerRecord } from '../../services/contracts/record.ts';
import type { Run } from '../../services/contracts/run.ts';
import { eventsOf, followToTheEnd, openStream } from '../support/followers.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';

const full = process.env['TANDEM_TEST_FULL'] !== undefined;

let tandem: Tandem;
let small: SmallRuns;

beforeEach(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
});
afterEach(() => tandem?.dispose());

test('followers that reconnect with Last-Event-ID miss nothing and get nothing twice while the control plane is killed again and again', async () => {
  const { id } = await tandem.post<Run>('/runs', small.grpo({ max_steps: full ? 60 : 24 }));
  const streams = ['events?follow=true', 'logs?follow=true&tail=10000', 'metrics?follow=true'];
  const followed = streams.map((path) => followToTheEnd(`${tandem.url}/runs/${id}/${path}`));
  await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 2);
  let kills = 0;
  for (; kills < (full ? 12 : 4) && !ended(await tandem.run(id)); kills++) {
    await tandem.kill();
    await sleep(Math.random() * 300);
    await tandem.start();
    await sleep(Math.random() * 700);
  }
  const run = await tandem.until(id, ended);
  expect(run, run.message).toMatchObject({ status: 'succeeded' });
  const [events, logs, metrics] = await Promise.all(followed);

  expect(kills).toBeGreaterThan(1);
  expect(events!.connections).toBeGreaterThan(1);
  // The stream ends with the run; that its inference server ended as well may be noted a moment later.
  const happened = (await tandem.events(id)).map((event) => String(event.id));
  const last = (await tandem.events(id)).findLast(({ status }) => status === 'succeeded');
  expect(idsOf(events)).toEqual(happened.slice(0, idsOf(events).length));
  expect(idsOf(events)).toContain(String(last?.id));
  const records = recordsOf(id);
  expect(idsOf(logs)).toEqual(records.filter(({ kind }) => kind === 'log').map(({ n }) => `1:${n}`));
  expect(idsOf(metrics)).toEqual(records.filter(({ kind }) => kind === 'metrics').map(({ n }) => `1:${n}`));
});

test('a thousand followers of one run all get every line, the server stays quick and small, and those that read nothing harm nobody', async () => {
  const followers = 1000;
  // It waits behind the first, so that all followers are there before its first line.
  const first = await tandem.post<Run>('/runs', small.sft({ max_steps: 5000 }));
  const { id } = await tandem.post<Run>('/runs', small.sft());
  const before = residentMiB(tandem);
  const deaf = Array.from({ length: 20 }, () => followDeaf(tandem, id));
  const url = `${tandem.url}/runs/${id}/logs?follow=true&tail=0`;
  const opened = await inBatches(followers, 50, () => openStream(url));
  expect(opened.filter(({ statusCode }) => statusCode !== 200)).toEqual([]);
  const counts = opened.map(async (response) => {
    const ids: string[] = [];
    for await (const { event, id: each } of eventsOf(response)) if (event === 'log') ids.push(each);
    return ids.join(' ');
  });

  const latencies: number[] = [];
  let largest = 0;
  await tandem.post(`/runs/${first.id}/cancel`);
  for (let run = await tandem.run(id); !ended(run); run = await tandem.run(id)) {
    const started = performance.now();
    await tandem.get('/healthz');
    latencies.push(performance.now() - started);
    largest = Math.max(largest, residentMiB(tandem));
    await sleep(50);
  }
  const received = new Set(await Promise.all(counts));
  const logged = recordsOf(id).filter(({ kind }) => kind === 'log');
  for (const socket of deaf) socket.destroy();

  expect([...received]).toEqual([logged.map(({ n }) => `1:${n}`).join(' ')]);
  const p99 = latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)] as number;
  const figures = { lines: logged.length, p99Ms: p99, mibBefore: before, mibLargest: largest };
  expect(p99, JSON.stringify(figures)).toBeLessThan(2000);
  expect(largest - before, JSON.stringify(figures)).toBeLessThan(300);
});

function idsOf(followed: { received: { id: string }[] } | undefined): string[] {
  return followed?.received.map(({ id }) => id) ?? [];
}

function recordsOf(id: string): TrainerRecord[] {
  const lines = readFileSync(join(tandem.home, 'records', id, 'a1.jsonl'), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as TrainerRecord);
}

/** A client that asks for everything and reads nothing. */
function followDeaf({ url }: Tandem, id: string) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.pause();
  socket.on('error', () => undefined);
  socket.write(`GET /runs/${id}/logs?follow=true HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
  return socket;
}

async function inBatches<T>(total: number, size: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < total) made.push(...(await Promise.all(Array.from({ length: size }, make))));
  return made;
}

function residentMiB({ process }: Tandem): number {
  const status = readFileSync(`/proc/${process().pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}
