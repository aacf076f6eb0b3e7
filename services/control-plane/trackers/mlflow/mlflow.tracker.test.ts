import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { RunStatus } from '../../../contracts/run.ts';
import type { RunSpecInput } from '../../../contracts/run-spec.ts';

import { createRedactor } from '../../../platform/redaction.ts';
import { metricsRecord } from '../../records/record.fixtures.ts';
import { openSinkFixture, RUN, type SinkFixture } from '../../sinks/sink.fixtures.ts';
import { createMlflowTracker } from './mlflow.tracker.ts';
import { type FakeMlflow, type Fault, startFakeMlflow } from './mlflow-server.fixture.ts';

const AUTHORIZATION = 'Bearer mlflow-secret-token';
let server: FakeMlflow;
let fixture: SinkFixture;
let status: RunStatus;
let time: number;
let uptime: number;
beforeAll(async () => {
  server = await startFakeMlflow();
});
afterAll(() => server.close());
beforeEach(() => {
  Object.assign(server, { faults: [], authorization: AUTHORIZATION });
  server.runs.length = 0;
  server.requests.length = 0;
  server.artifacts.clear();
  fixture = openSinkFixture();
  status = 'running';
  time = Date.UTC(2026, 10, 20, 12);
  uptime = 0;
});
afterEach(() => fixture.close());

const tracker = (spec: Omit<RunSpecInput, 'model'> = {}, settings: { trackingUri?: string | null } = {}) => {
  const monitoring = { enable_mlflow: true, ...spec.monitoring };
  const made = createMlflowTracker({
    target: { ...fixture.target({ ...spec, monitoring }), status: () => status },
    records: fixture.records.records,
    checkpoints: fixture.checkpoints.checkpoints,
    settings: { trackingUri: server.uri, experiment: 'tandem', authorization: AUTHORIZATION, ...settings },
    locationOf: ({ run, attempt, step }) => `s3://tandem/${run}/a${attempt}/checkpoint-${step}`,
    redactor: createRedactor({ A_KEY: 'known-secret' }),
    now: () => time,
    steady: () => uptime,
  });
  if (made === null) throw new Error('It is turned on.');
  return made;
};
const catchUp = (made = tracker(), final = false) => made.catchUp(final, new AbortController().signal);
/** As the loop of a tracker does it: with pauses, until all is there. */
const insist = async (make: () => ReturnType<typeof tracker>) => {
  for (let tries = 0; tries < 10; tries += 1) {
    const done = await catchUp(make()).then(
      () => true,
      () => false,
    );
    if (done) return;
    uptime += 3_600_000;
  }
  throw new Error('It was never done.');
};
const train = (attempt: number, n: number, from: number, to: number) =>
  fixture.records.records.ingest(
    RUN,
    attempt,
    Array.from({ length: to - from + 1 }, (_, index) =>
      metricsRecord(n + index, from + index, { 'train/loss': attempt, 'train/kl': 0 }),
    ),
  );
const resume = (attempt: number, from: number | null, record: number) =>
  fixture.records.records.markSuperseded(RUN, { attempt, resumedFromAttempt: from, record, step: record });
const curve = (key = 'train/loss') =>
  (server.runs[0]?.metrics ?? [])
    .flatMap((metric) => (metric.key === key ? [`${metric.step}:${metric.value}`] : []))
    .join(' ');

describe('a run in MLflow', () => {
  it('has its metrics at their steps and times, NaN and infinity as words, its parameters and tags', async () => {
    await fixture.records.records.ingest(RUN, 1, [
      metricsRecord(1, 0, { 'train/loss': 'NaN', 'odd<name>': 'Infinity' }),
      metricsRecord(2, 1, { 'train/loss': 0.5 }),
    ]);
    await catchUp();
    const [run] = server.runs;
    expect(run?.metrics).toEqual([
      { key: 'train/loss', value: 'NaN', timestamp: Date.UTC(2026, 10, 20, 9, 0, 1), step: 0 },
      { key: 'odd_name_', value: 'Infinity', timestamp: Date.UTC(2026, 10, 20, 9, 0, 1), step: 0 },
      { key: 'train/loss', value: 0.5, timestamp: Date.UTC(2026, 10, 20, 9, 0, 2), step: 1 },
    ]);
    expect(run?.params.get('training.learning_rate')).toBe('0.00001');
    expect(run?.tags.get('tandem.run')).toBe(RUN);
    expect(run?.info).toMatchObject({ status: 'RUNNING', run_name: RUN });
  });

  it('is finished when it has been told how the run ended, and not before', async () => {
    await train(1, 1, 1, 3);
    const living = tracker();
    await catchUp(living);
    status = 'succeeded';
    expect(await living.status()).toMatchObject({ state: 'live', backlog: 0 });
    server.faults.push({ path: 'runs/update', end: 'cut before' });
    await expect(catchUp(living, true)).rejects.toThrow('cannot be reached');
    expect(await tracker().status()).toMatchObject({ state: 'live' });
    await catchUp(living, true);
    expect(server.runs[0]?.info.status).toBe('FINISHED');
    expect(await tracker().status()).toMatchObject({ state: 'finished', last_error: null });
  });

  it('goes on in the same run after resumes, without doubles, and tells of them', async () => {
    await train(1, 1, 1, 6);
    await catchUp();
    resume(2, 1, 4);
    await train(2, 1, 5, 8);
    await catchUp(tracker({ training: { learning_rate: 0.1 } }));
    resume(3, 2, 2);
    await train(3, 1, 7, 10);
    await catchUp();
    expect(server.runs).toHaveLength(1);
    expect(curve()).toBe('1:1 2:1 3:1 4:1 5:1 6:1 7:2 8:2 9:3 10:3');
    expect(server.runs[0]?.params.get('attempt2/training.learning_rate')).toBe('0.1');
    expect(server.runs[0]?.tags.get('tandem.resumes')).toBe(
      'attempt 2 from attempt 1 at step 4; attempt 3 from attempt 2 at step 2',
    );
  });

  it('holds no secret of the spec', async () => {
    const reward = [{ name: 'http' as const, url: 'http://scorer:hunter22@127.0.0.1:9/?token=abcdef' }];
    const monitoring = { mlflow_run_name: 'a known-secret' };
    await catchUp(tracker({ reward, monitoring, labels: { note: 'known-secret', api_key: 'under its name' } }));
    expect(server.runs[0]?.info.run_name).toBe('a [redacted]');
    const text = JSON.stringify([...(server.runs[0]?.params ?? [])]);
    expect(text).toContain('[redacted]@127.0.0.1:9');
    expect(text).not.toMatch(/hunter22|abcdef|known-secret|under its name/);
  });

  it('is a new one, with everything in it, after somebody has deleted it', async () => {
    await train(1, 1, 1, 3);
    const living = tracker();
    await catchUp(living);
    if (server.runs[0] !== undefined) server.runs[0].info.lifecycle_stage = 'deleted';
    await train(1, 4, 4, 5);
    await expect(catchUp(living)).rejects.toThrow('deleted');
    uptime += 900_000;
    await catchUp(living);
    expect(server.runs).toHaveLength(2);
    expect(curve()).toBe('1:1 2:1 3:1');
    expect(server.runs[1]?.metrics.filter(({ key }) => key === 'train/loss').map(({ step }) => step)).toEqual([
      1, 2, 3, 4, 5,
    ]);
    expect(server.runs[1]?.params.get('training.learning_rate')).toBe('0.00001');
    await train(1, 6, 6, 6);
    await catchUp();
    expect(server.runs).toHaveLength(2);
    expect(await tracker().status()).toMatchObject({ run_id: 'r1', last_step: 6 });
  });

  it('gets a long history in requests that the protocol permits', async () => {
    const values = Object.fromEntries(
      Array.from({ length: 70 }, (_, index) => [`${'long/name/'.repeat(20)}${index}`, index]),
    );
    await fixture.records.records.ingest(
      RUN,
      1,
      Array.from({ length: 40 }, (_, index) => metricsRecord(index + 1, index, values)),
    );
    await catchUp();
    expect(server.runs[0]?.metrics).toHaveLength(2800);
    expect(server.requests.filter((path) => path.endsWith('log-batch')).length).toBeGreaterThan(3);
  });

  it.each([
    ['succeeded', 'FINISHED'],
    ['failed', 'FAILED'],
    ['cancelled', 'KILLED'],
  ] as const)('that has %s is %s, and goes on when it is resumed', async (ended, expected) => {
    await train(1, 1, 1, 2);
    await catchUp();
    status = ended;
    await catchUp(tracker(), true);
    expect(server.runs[0]?.info).toMatchObject({ status: expected, end_time: time });
    status = 'running';
    resume(2, 1, 2);
    await train(2, 1, 3, 3);
    await catchUp();
    expect(server.runs[0]?.info.status).toBe('RUNNING');
    expect(curve()).toBe('1:1 2:1 3:2');
  });

  it('has links to its checkpoints, as tags and as a file', async () => {
    await train(1, 1, 1, 2);
    await fixture.checkpoints.save(2);
    await catchUp();
    expect(server.runs[0]?.tags.get('tandem.checkpoint.latest')).toBe(`s3://tandem/${RUN}/a1/checkpoint-2`);
    const file = JSON.parse([...server.artifacts.values()][0] ?? 'null');
    expect(file.checkpoints[0]).toMatchObject({
      checkpoint: 'a1/checkpoint-2',
      location: `s3://tandem/${RUN}/a1/checkpoint-2`,
    });
  });
});

describe('exactly once', () => {
  const faults: Fault[] = [
    { path: 'experiments/create', status: 500 },
    { path: 'runs/search', end: 'cut before' },
    { path: 'runs/create', end: 'cut after' },
    { path: 'runs/get', status: 429, headers: { 'retry-after': '7' } },
    { path: 'runs/log-batch', end: 'cut before' },
    { path: 'runs/log-batch', end: 'cut after' },
    { path: 'runs/log-batch', status: 503 },
  ];

  it.each(faults.map((fault) => [JSON.stringify(fault), fault] as const))('in spite of %s', async (_, fault) => {
    await train(1, 1, 1, 3);
    // The second is for the metrics, which come after tags and parameters.
    server.faults.push(structuredClone(fault), structuredClone(fault), structuredClone(fault));
    await insist(() => tracker());
    await train(1, 4, 4, 5);
    server.faults.push(structuredClone(fault));
    const living = tracker();
    await insist(() => living);
    expect(server.runs).toHaveLength(1);
    expect(curve()).toBe('1:1 2:1 3:1 4:1 5:1');
    expect(curve('train/kl')).toBe('1:0 2:0 3:0 4:0 5:0');
  });

  it('after a kill that leaves no state, or a damaged one', async () => {
    await train(1, 1, 1, 3);
    await catchUp();
    const path = join(fixture.tree, 'mlflow_sync_state.json');
    rmSync(path);
    const living = tracker();
    await catchUp(living);
    expect(await living.status()).toMatchObject({ last_step: 3, backlog: 0 });
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 40));
    await train(1, 4, 4, 4);
    await catchUp();
    expect(server.runs).toHaveLength(1);
    expect(curve()).toBe('1:1 2:1 3:1 4:1');
  });
});

describe('a server that does not know who asks', () => {
  it('is told with the remedy, is not asked again at once, and the secret is nowhere', async () => {
    await train(1, 1, 1, 3);
    server.authorization = 'Bearer another';
    const refused = tracker();
    const error = await catchUp(refused).catch((thrown: Error) => thrown);
    expect(String(error)).toMatch(/401.*set MLFLOW_TRACKING_USERNAME/);
    expect(String(error)).not.toContain('mlflow-secret-token');
    await expect(catchUp(refused)).rejects.toThrow('401');
    expect(server.requests).toHaveLength(1);
    expect(await refused.status()).toMatchObject({ state: 'refused', backlog: 3, run_id: null });
    server.authorization = AUTHORIZATION;
    // Somebody sets the clock.
    time += 3_600_000;
    await expect(catchUp(refused)).rejects.toThrow('401');
    expect(server.requests).toHaveLength(1);
    time -= 7_200_000;
    uptime += 900_000;
    await catchUp(refused);
    expect(curve()).toBe('1:1 2:1 3:1');
    expect(readFileSync(join(fixture.tree, 'mlflow_sync_state.json'), 'utf8')).not.toContain('secret');
  });

  it('of another address than the one that the control plane was given is not told the secret', async () => {
    server.authorization = null;
    const elsewhere = tracker(
      { monitoring: { mlflow_tracking_uri: server.uri } },
      { trackingUri: 'http://mlflow.invalid:5000' },
    );
    await catchUp(elsewhere);
    expect(server.runs).toHaveLength(1);
    server.authorization = AUTHORIZATION;
    await train(1, 1, 1, 1);
    await expect(catchUp(elsewhere)).rejects.toThrow('401');
  });

  it.each([
    ['http://169.254.169.254', 'link-local'],
    [null, 'MLFLOW_TRACKING_URI'],
  ])('is not asked at all where its address may not be called: %s', async (uri, message) => {
    await expect(catchUp(tracker({ monitoring: { mlflow_tracking_uri: uri } }, { trackingUri: null }))).rejects.toThrow(
      message,
    );
  });
});

describe('its status', () => {
  it('tells how far it is, whoever asks', async () => {
    expect(await tracker().status()).toMatchObject({ state: 'waiting', last_step: null, backlog: 0 });
    await train(1, 1, 1, 3);
    await catchUp();
    const at = { state: 'live', run_id: 'r0', last_step: 3, last_record: '1:3', backlog: 0, project: 'tandem' };
    expect(await tracker().status()).toMatchObject({ ...at, url: `${server.uri}/#/experiments/0/runs/r0` });
    await train(1, 4, 4, 5);
    expect(await tracker().status()).toMatchObject({ backlog: 2 });
    expect(existsSync(join(fixture.tree, 'mlflow_sync_state.json'))).toBe(true);
  });
});
