import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RecordBody } from '../../contracts/record.ts';
import { testAttempt, testSpec } from '../test-support/attempt.ts';
import { startTestControlPlane, type TestControlPlane } from '../test-support/control-plane.ts';
import { createAgentClient } from './agent-client.ts';
import { type AttemptControl, createAttemptControl } from './attempt-control.ts';
import { type RecordPoster, startRecordPoster } from './record-poster.ts';
import { openRecordSpool, type RecordSpool } from './record-spool.ts';

let directory: string;
let plane: TestControlPlane;
let spool: RecordSpool;
let control: AttemptControl;
let poster: RecordPoster;
const task = { model: '/m', train: '/t', validation: '/v' };
const log = (message: string): RecordBody => ({ kind: 'log', component: 'training', level: 'INFO', message });
const eventually = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 10 });

beforeEach(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'tandem-poster-'));
  const attempt = testAttempt({ spec: testSpec(task, {}), task, directory });
  plane = await startTestControlPlane({ attempt, directory });
  spool = openRecordSpool({ path: path.join(directory, 'spool.jsonl'), now: Date.now });
  control = createAttemptControl(attempt.log_levels);
});
afterEach(async () => {
  await poster.stop();
  spool.close();
  await plane.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

function start(): void {
  const client = createAgentClient({ url: plane.url, attempt: 'run-test0000.a1', token: plane.token });
  poster = startRecordPoster({ client, spool, control });
}

const stored = () => plane.records.map(({ n }) => n);

test('records arrive once each and in order, the first post being a heartbeat', async () => {
  start();
  await eventually(() => expect(plane.heartbeats).toBeGreaterThan(0));
  for (let i = 0; i < 300; i++) spool.append([log(`line ${i}`)]);
  expect(await poster.flush(5000)).toBe(true);
  expect(stored()).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
});

test('what was recorded while the control plane was away arrives when it is back', async () => {
  plane.failWith = 503;
  start();
  spool.append([log('a'), log('b'), log('c')]);
  expect(await poster.flush(300)).toBe(false);
  plane.failWith = null;
  expect(await poster.flush(5000)).toBe(true);
  expect(stored()).toEqual([1, 2, 3]);
});

test('a spool with records of an earlier process posts only what is missing', async () => {
  spool.append([log('a'), log('b')]);
  start();
  await poster.flush(5000);
  await poster.stop();
  spool.append([log('c')]);
  start();
  expect(await poster.flush(5000)).toBe(true);
  expect(stored()).toEqual([1, 2, 3]);
});

test('after a gap it goes back to what the control plane lacks', async () => {
  start();
  spool.append(Array.from({ length: 10 }, (_, i) => log(`line ${i}`)));
  await poster.flush(5000);
  plane.forgetAbove(4);
  spool.append([log('after the loss')]);
  await eventually(() => expect(stored()).toEqual(Array.from({ length: 11 }, (_, i) => i + 1)));
});

test('a wish to save is heard once, a wish to stop with its deadline, and levels change at once', async () => {
  plane.want = 'save';
  plane.attempt = { ...plane.attempt, log_levels: { ...plane.attempt.log_levels, rollout: 'DEBUG' } };
  start();
  await eventually(() => expect(control.logLevels.rollout).toBe('DEBUG'));
  expect(control.takeSaveRequest()).toBe(true);
  spool.append([log('another exchange')]);
  await poster.flush(5000);
  expect(control.takeSaveRequest()).toBe(false);

  plane.deadline = '2026-11-20T09:00:00.000Z';
  plane.want = 'stop';
  spool.append([log('and another')]);
  await eventually(() => expect(control.stopping.aborted).toBe(true));
  expect(control.deadline).toBe(Date.parse('2026-11-20T09:00:00.000Z'));
});

test('a closed attempt ends the posting and says so', async () => {
  plane.failWith = 410;
  start();
  await eventually(() => expect(control.closed.aborted).toBe(true));
  expect(control.stopping.aborted).toBe(true);
});
