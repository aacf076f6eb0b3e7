import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { expect, it } from 'vitest';
import type { RunEvent } from '../../contracts/event.ts';
import { metricsRecord, openRecords, progressRecord, RUN } from '../records/record.fixtures.ts';
import { countGpus } from './gpu-states.ts';
import { measureRequests } from './measure-requests.ts';
import { someMetrics } from './metrics.fixtures.ts';
import { RUNS_SHOWN, readRunMetrics } from './run-metrics.ts';
import { watchEvents } from './watch-events.ts';

const linesOf = async (metrics: ReturnType<typeof someMetrics>, name: string) =>
  (await metrics.text()).split('\n').filter((line) => line.startsWith(name));

it('gives each status and each state, also those that nothing has', async () => {
  const metrics = someMetrics();
  expect(await linesOf(metrics, 'tandem_runs{')).toContain('tandem_runs{status="running"} 2');
  expect(await linesOf(metrics, 'tandem_runs{')).toContain('tandem_runs{status="queued"} 0');
  expect(await linesOf(metrics, 'tandem_gpus{')).toHaveLength(6);
  expect(await linesOf(metrics, 'tandem_runs_ended_total{')).toContain('tandem_runs_ended_total{status="failed"} 0');
});

it('forgets runs that no longer run, and shows NaN and infinities as Prometheus writes them', async () => {
  let runs = [
    { run: 'run-aaaaaaaa', step: 1, values: [['train/loss', Number.NaN] as [string, number]] },
    { run: 'run-bbbbbbbb', step: 2, values: [['train/loss', Number.POSITIVE_INFINITY] as [string, number]] },
  ];
  const metrics = someMetrics({ running: () => ({ runs, leftOut: 0 }) });
  expect(await linesOf(metrics, 'tandem_run_metric{')).toEqual([
    expect.stringMatching(/^tandem_run_metric\{run="run-aaaaaaaa",metric="train\/loss"\} nan$/i),
    'tandem_run_metric{run="run-bbbbbbbb",metric="train/loss"} +Inf',
  ]);
  runs = runs.slice(1);
  expect(await linesOf(metrics, 'tandem_run_metric{')).toHaveLength(1);
  expect(await linesOf(metrics, 'tandem_run_step{')).toEqual(['tandem_run_step{run="run-bbbbbbbb"} 2']);
});

it('reads runs and sinks once for each answer', async () => {
  const asked: string[] = [];
  const running = () => {
    asked.push('runs');
    return { runs: [{ run: RUN, step: 1, values: [] }], leftOut: 0 };
  };
  const sinks = () => {
    asked.push('sinks');
    return [{ sink: 'log', records: 7, failing: 1 }];
  };
  const text = await someMetrics({ running, sinks }).text();
  expect(asked.sort()).toEqual(['runs', 'sinks']);
  expect(text).toContain('tandem_sinks_failing{sink="log"} 1');
});

it('shows the newest runs only, each with the newest values that count', async () => {
  const fixture = openRecords();
  const { records } = fixture;
  await records.ingest(RUN, 1, [
    metricsRecord(1, 10, { 'train/loss': 0.5, 'eval/accuracy': 0.25, other: 1 }),
    metricsRecord(2, 20, { 'train/loss': 'NaN' }),
    progressRecord(3, 20),
  ]);
  const others = Array.from({ length: RUNS_SHOWN }, (_, at) => ({ id: `run-${at}`, startedAt: at }));
  const found = readRunMetrics([{ id: RUN, startedAt: 1000 }, ...others], records);
  expect(found.leftOut).toBe(1);
  expect(found.runs).toHaveLength(RUNS_SHOWN);
  const values = [
    ['eval/accuracy', 0.25],
    ['train/loss', Number.NaN],
  ];
  expect(found.runs[0]).toEqual({ run: RUN, step: 20, values });
  fixture.close();
});

it('counts each GPU once, whoever has it and whatever is wrong with it', () => {
  const gpu = (uuid: string, verdict: 'healthy' | 'unusable' = 'healthy', pids: number[] = []) => ({
    uuid,
    health: { verdict, findings: [] },
    foreign_processes: pids.map((pid) => ({ pid, name: 'x', memory_mib: 1, container: null })),
  });
  const gpus = [gpu('a'), gpu('b', 'healthy', [7]), gpu('c', 'unusable', [7]), gpu('d', 'unusable'), gpu('e')];
  const leases = [
    { gpu: 'd', state: 'held' },
    { gpu: 'e', state: 'quarantined' },
    { gpu: 'gone', state: 'held' },
  ] as const;
  expect(Object.fromEntries(countGpus(gpus, leases))).toEqual({
    ...{ free: 1, busy: 1, unusable: 1, leased: 1, quarantined: 1, lost: 1 },
  });
});

it('counts what events tell: how long a run waited, before its first attempt and before a later one', () => {
  const heard: unknown[] = [];
  const listeners: ((run: string, event: RunEvent) => void)[] = [];
  watchEvents({
    events: {
      subscribeAll: (listener) => {
        listeners.push(listener);
        return () => undefined;
      },
    },
    queuedAt: () => Date.parse('2026-11-20T09:00:00Z'),
    metrics: {
      granted: (seconds) => heard.push(['granted', seconds]),
      ended: (status) => heard.push(status),
      checkpointed: (bytes) => heard.push(['bytes', bytes]),
      saveFailed: () => heard.push('save failed'),
    },
  });
  const tell = (minute: string, event: Partial<RunEvent> & Pick<RunEvent, 'name'>) => {
    const rest = { id: 1, actor: 'control_plane', attempt: null, status: null, reason: null, message: '' } as const;
    for (const listener of listeners)
      listener(RUN, { ...rest, time: `2026-11-20T09:${minute}:00Z`, data: {}, ...event });
  };
  tell('01', { name: 'attempt_started', attempt: 1 });
  tell('02', { name: 'checkpoint_committed', data: { size: 512 } });
  tell('03', { name: 'save_failed' });
  tell('10', { name: 'status_changed', status: 'queued' });
  tell('12', { name: 'status_changed', status: 'starting' });
  tell('12', { name: 'attempt_started', attempt: 2 });
  tell('13', { name: 'attempt_started', attempt: 3 });
  tell('20', { name: 'status_changed', status: 'failed' });
  expect(heard).toEqual([['granted', 60], ['bytes', 512], 'save failed', ['granted', 120], 'failed']);
});

it('times a request until its answer begins, by what it was taken for and never by what was asked', async () => {
  const seen: unknown[] = [];
  const app = express();
  app.use(measureRequests({ request: (labels) => seen.push(labels) }));
  app.get('/runs/:id', (_request, response) => {
    Object.assign(response.locals, { operation: 'getRun', method: 'get' });
    response.write('begins');
    expect(seen).toHaveLength(1);
    response.end();
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await (await fetch(`${url}/runs/run-aaaaaaaa`)).text();
  await (await fetch(`${url}/${'x'.repeat(300)}`)).text();
  await new Promise((resolve) => server.close(resolve));
  expect(seen).toEqual([
    { operation: 'getRun', method: 'get', status: 200 },
    { operation: 'none', method: 'none', status: 404 },
  ]);
});
