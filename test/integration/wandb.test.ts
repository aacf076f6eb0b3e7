import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createWandbClient } from '../../services/control-plane/trackers/wandb/wandb.client.ts';
import {
  firstAttempt,
  never,
  openTrackedRun,
  openTracker,
  type TrackedRun,
  wandbSettings,
} from '../../services/control-plane/trackers/wandb/wandb.fixtures.ts';
import { comparable, recorded, trackBySdk, trackByTandem } from '../support/wandb-sdk.ts';
import { startWandbServer, type Trouble, type WandbServer } from '../support/wandb-server.ts';

const RUN = 'run-aaaaaaaa';
let server: WandbServer;
let run: TrackedRun;
beforeEach(async () => {
  server = await startWandbServer();
  run = openTrackedRun();
});
afterEach(async () => {
  run.close();
  await server.close();
});

const track = (change: { apiKey?: string; idleMs?: number } = {}) => {
  const settings = {
    ...wandbSettings,
    baseUrl: server.url,
    ...(change.apiKey !== undefined && { apiKey: change.apiKey }),
  };
  const client = createWandbClient({ settings, now: Date.now, idleMs: change.idleMs ?? 2000 });
  return openTracker(run, client, { settings, now: Date.now });
};
const steps = () => server.history(RUN).map((row) => [row['_step'], row['_trainer_step']]);
const whole = [
  [0, 1],
  [1, 2],
  [2, 2],
  [3, 2],
  [4, 2],
  [5, 3],
];

describe('a W&B server', () => {
  it.each<[string, Trouble, RegExp]>([
    ['that hangs', { kind: 'hang' }, /cannot be reached: nothing moved for 0.3 s; .*wandb_backup/],
    ['that answers 500', { kind: 'status', status: 500 }, /answered 500 .*it is tried again/],
    ['that answers 503 with a page', { kind: 'status', status: 503, body: '<html>' }, /answered 503/],
    ['that answers 429', { kind: 'status', status: 429, retryAfter: '0' }, /too many requests/],
    ['that cuts the connection before it takes rows', { kind: 'cut', taken: false }, /cannot be reached/],
    ['that cuts the connection after it has taken them', { kind: 'cut', taken: true }, /cannot be reached/],
  ])('%s gets everything once, in the end', async (_name, trouble, message) => {
    run.add(1, firstAttempt);
    const tracker = track({ idleMs: 300 });
    for (const operation of ['UpsertBucket', 'file_stream']) {
      server.trouble = (request) => (request.operation === operation ? trouble : null);
      await expect(tracker.catchUp(false, never)).rejects.toThrow(message);
      expect((await tracker.status()).backlog).toBe(8);
      expect(existsSync(join(run.tree, 'wandb_backup/step_000003.json'))).toBe(true);
    }
    server.trouble = () => null;
    await tracker.catchUp(false, never);
    expect(steps()).toEqual(whole);
    expect(existsSync(join(run.tree, 'wandb_backup/step_000003.json'))).toBe(false);
    expect(await tracker.status()).toMatchObject({ state: 'live', backlog: 0, last_error: null });
  });

  it('that does not know the key is asked once, and neither message nor files hold the key', async () => {
    run.add(1, firstAttempt);
    const tracker = track({ apiKey: 'wrong-key-that-nobody-may-see' });
    for (let i = 0; i < 3; i += 1)
      await expect(tracker.catchUp(false, never)).rejects.toThrow(/set WANDB_API_KEY to a key/);
    expect(server.requests).toHaveLength(1);
    const status = await tracker.status();
    expect(status.state).toBe('refused');
    expect(JSON.stringify(status) + readFileSync(join(run.tree, 'wandb_sync_state.json'), 'utf8')).not.toContain(
      'nobody-may-see',
    );
  });

  it('that repeats the key in its answer does not get it into messages', async () => {
    run.add(1, firstAttempt);
    server.trouble = () => ({ kind: 'status', status: 400, body: JSON.stringify({ error: `bad ${server.apiKey}` }) });
    await expect(track().catchUp(false, never)).rejects.toThrow(/answered 400 .*bad \[redacted\]/);
  });

  it('in whose page stop is pressed says so with the next rows', async () => {
    run.add(1, firstAttempt);
    const settings = { ...wandbSettings, baseUrl: server.url };
    const stops: string[] = [];
    const tracker = openTracker(run, createWandbClient({ settings, now: Date.now }), {
      settings,
      onStop: (each) => stops.push(each),
    });
    server.trouble = () => {
      for (const held of server.runs.values()) held.stopped = true;
      return null;
    };
    await tracker.catchUp(false, never);
    expect(stops).toEqual([`Stopped in W&B by somebody at ${server.url}/tester/cua-grpo/runs/${RUN}.`]);
  });
});

const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../golden/wandb/sdk.json'), 'utf8'));
const python = process.env['TANDEM_WANDB_PYTHON'] ?? join(homedir(), '.cache/tandem-test/wandb/venv/bin/python');

describe('a run tracked by Tandem', () => {
  it('is to W&B what the SDK makes of the same rows, as recorded', async () => {
    expect(recorded(await trackByTandem())).toEqual(golden.held);
  });

  it.skipIf(!existsSync(python))('is that of the SDK which is installed, too', async () => {
    const ours = await trackByTandem();
    expect(comparable(await trackBySdk(python, ours))).toEqual(comparable(ours));
  });
});
