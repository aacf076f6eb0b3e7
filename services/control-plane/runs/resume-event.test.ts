import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunEvent } from '../../contracts/event.ts';
import type { Database } from '../../platform/database.ts';
import { createTestBench, type TestBench } from '../testing.ts';
import type { Wiring } from '../wiring.ts';

let bench: TestBench;
let wiring: Wiring & { db: Database };
let server: Server;

beforeEach(async () => {
  bench = await createTestBench();
  wiring = await bench.open();
  server = createServer(wiring.publicApp);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await bench.remove();
});

/** A safetensors file without a tensor. */
const EMPTY_WEIGHTS = `\x02${'\0'.repeat(7)}{}`;
const overrides = { lr: 0.5, training: { max_steps: 99 } };

test('what a resume changes is kept with its event, as it was asked for: in the API and in events.jsonl', async () => {
  const id = await paused();
  await resume(id, { from: 'checkpoint-40', overrides });
  const event = await lastEvent(id);
  expect(event).toMatchObject({
    name: 'status_changed',
    actor: 'user',
    status: 'queued',
    reason: 'resumed',
    data: { from: 'checkpoint-40', overrides },
  });
  const lines = bench.read(`.tandem/records/${id}/events.jsonl`).trimEnd().split('\n');
  expect(JSON.parse(lines.at(-1) as string)).toEqual(event);
});

test('one that changes nothing says that, too', async () => {
  const id = await paused();
  await resume(id, {});
  expect((await lastEvent(id)).data).toEqual({ from: 'latest', overrides: {} });
});

test('a fork keeps in its own first event what it changes, and the run that it came from', async () => {
  const id = await paused();
  const fork = await resume(id, { fork: true, overrides });
  expect(fork).not.toBe(id);
  const events = await eventsOf(fork);
  expect(events).toHaveLength(1);
  expect(events[0]?.data).toEqual({ from: 'latest', overrides, parent: id });
});

async function resume(id: string, request: Record<string, unknown>): Promise<string> {
  return (await call<{ id: string }>(`/runs/${id}/resume`, { from: 'latest', ...request })).id;
}

async function lastEvent(id: string): Promise<RunEvent> {
  return (await eventsOf(id)).at(-1) as RunEvent;
}

async function eventsOf(id: string): Promise<RunEvent[]> {
  return (await call<{ events: RunEvent[] }>(`/runs/${id}/events?limit=1000`)).events;
}

async function call<T>(path: string, body?: unknown): Promise<T> {
  const { port } = server.address() as AddressInfo;
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, body === undefined ? {} : post);
  const text = await response.text();
  if (!response.ok) throw new Error(`${path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

/** A run that is at rest with a checkpoint at step 40. */
async function paused(): Promise<string> {
  const folder = join(bench.root, 'out/checkpoint-40');
  mkdirSync(join(folder, 'model'), { recursive: true });
  writeFileSync(join(folder, 'model/model.safetensors'), EMPTY_WEIGHTS);
  writeFileSync(join(folder, 'training_state.json'), '{"global_step": 40}');
  const spec = bench.spec({ model: { name: 'model', use_lora: false }, training: { max_steps: 60 } });
  const { run } = await call<{ run: string }>('/checkpoints/import', { path: 'out', spec });
  return run;
}
