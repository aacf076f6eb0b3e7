import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import type { TrackerStatus } from '../../services/contracts/tracker.ts';
import { readBoard } from '../../services/control-plane/trackers/tensorboard/read-board.fixture.ts';
import { finalState } from '../support/final-state.ts';
import { startMlflow } from '../support/mlflow.ts';
import { mountSmallDisk, noMounts, type SmallDisk } from '../support/small-disk.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';
import { startWandbServer } from '../support/wandb-server.ts';

const steps = { max_steps: 120, save_steps: 10, eval_steps: 20 };
let disk: SmallDisk;
let tandem: Tandem;
const servers: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await tandem?.dispose();
  disk?.dispose();
  for (const server of servers.splice(0)) await server.close();
});

describe.skipIf(noMounts)(`a disk that fills in the middle of a run (${noMounts ?? 'root'})`, () => {
  test('of TANDEM_HOME: training goes on, nothing it reported is lost, and everybody says so', async () => {
    disk = mountSmallDisk('16m');
    tandem = await startTandem({ TANDEM_HOME: join(disk.path, 'home') });
    const small = await makeSmallRuns(tandem);
    const straight = await tandem.until((await tandem.post<Run>('/runs', small.sft(steps))).id, ended);
    const { id } = await tandem.post<Run>('/runs', small.sft(steps));
    await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 10);

    disk.fill();
    await expectRefusedForNow(small.sft());
    await sleep(2000);
    expect(await tandem.run(id)).toMatchObject({ status: 'running', attempts: [{ number: 1 }] });
    disk.free();

    const run = await tandem.until(id, ended);
    expect(run, run.message).toMatchObject({ status: 'succeeded', reason: 'completed', attempts: [{ number: 1 }] });
    expect(await finalState(tandem, id)).toEqual(await finalState(tandem, straight.id));
    expectWithoutGap(join(tandem.home, 'records', id, 'a1.jsonl'));
    expectWithoutGap(join(tandem.tree(run), 'logs', 'training.log'), false);
    const told = (await tandem.events(id)).filter(({ name }) => name === 'save_failed');
    expect(told[0]?.message).toMatch(/^checkpoint-\d+ could not be saved: /);
    expect(JSON.stringify(told)).toMatch(/ENOSPC|disk is full/);
    expect(tandem.serverLog()).toMatch(
      /ERROR - POST \/agent\/attempts\/run-\w+\.a1\/records failed .*(ENOSPC|disk is full)/,
    );
    await expectLogGoesOn();
  });

  test('of TANDEM_OUTPUTS: the run is not touched by it, its trackers say so, and its tree is whole once there is space', async () => {
    disk = mountSmallDisk('16m');
    const [wandb, mlflow] = [await startWandbServer(), await startMlflow()];
    servers.push(wandb, mlflow);
    tandem = await startTandem({
      TANDEM_OUTPUTS: join(disk.path, 'outputs'),
      ...{ WANDB_BASE_URL: wandb.url, WANDB_API_KEY: wandb.apiKey, MLFLOW_TRACKING_URI: mlflow.uri },
    });
    const small = await makeSmallRuns(tandem);
    const monitoring = { enable_wandb: true, enable_tensorboard: true, enable_mlflow: true };
    const { id } = await tandem.post<Run>('/runs', { ...small.sft({ ...steps, logging_steps: 1 }), monitoring });
    await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 10);

    disk.fill();
    await expectRefusedForNow(small.sft());
    const trackers = async () => (await tandem.get<{ trackers: TrackerStatus[] }>(`/runs/${id}/trackers`)).trackers;
    const full = { state: 'behind', last_error: { message: expect.stringContaining('the disk is full; free space') } };
    await expect.poll(trackers, { timeout: 20_000 }).toMatchObject([full, full, full]);
    const run = await tandem.until(id, ended);
    await sleep(5000);
    disk.free();

    expect(run, run.message).toMatchObject({ status: 'succeeded', attempts: [{ number: 1 }] });
    const final = () => readdirSync(join(tandem.tree(run), 'final'));
    await expect.poll(final, { timeout: 20_000 }).toContain('optimizer.pt');
    expectWithoutGap(join(tandem.tree(run), 'logs', 'training.log'), false);
    expect(tandem.serverLog()).toContain('A rendering of a run could not be written; it is tried again.');
    const whole = { state: 'finished', last_step: 120, backlog: 0, last_error: null };
    await expect.poll(trackers, { timeout: 40_000 }).toMatchObject([whole, whole, whole]);
    const all = Array.from({ length: 120 }, (_, i) => i + 1);
    const rows = wandb.history(id).filter((row) => 'train/loss' in row);
    expect(rows.map((row) => row['train/step'])).toEqual(all);
    const board = readBoard(join(tandem.tree(run), 'tensorboard')).get('train/loss');
    expect(board?.map(({ step }) => step)).toEqual(all);
    const logged = await mlflow.history((await trackers())[2]?.run_id ?? '', 'train/loss');
    expect(logged.map(({ step }) => step)).toEqual(all);
  });
});

async function expectRefusedForNow(spec: object): Promise<void> {
  const response = await fetch(`${tandem.url}/runs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(spec),
  });
  expect(await response.json()).toMatchObject({
    type: 'urn:tandem:problem:unavailable',
    detail: expect.stringContaining('the disk is full; free space on it'),
  });
  expect(response.headers.get('retry-after')).not.toBeNull();
}

/** Numbers of the lines ascend; with `all`, none is missing. */
function expectWithoutGap(file: string, all = true): void {
  const numbers = readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { n: number }).n);
  expect(numbers).toEqual(all ? numbers.map((_, i) => i + 1) : [...new Set(numbers)].sort((a, b) => a - b));
  expect(numbers.length).toBeGreaterThan(10);
}

/** The control plane's own log has found its file again. */
async function expectLogGoesOn(): Promise<void> {
  const directory = join(tandem.home, 'logs');
  const mark = `/nothing-at-${Date.now()}`;
  const written = async () => {
    await fetch(tandem.url + mark);
    return readdirSync(directory).map((name) => readFileSync(join(directory, name), 'utf8'));
  };
  await expect.poll(written, { timeout: 15_000, interval: 500 }).toContainEqual(expect.stringContaining(mark));
}
