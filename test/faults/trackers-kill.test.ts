import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TrackerStatus } from '../../services/contracts/tracker.ts';
import { readBoard } from '../../services/control-plane/trackers/tensorboard/read-board.fixture.ts';
import { type Mlflow, startMlflow } from '../support/mlflow.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';
import { startWandbServer, type WandbServer } from '../support/wandb-server.ts';

let wandb: WandbServer;
let mlflow: Mlflow;
let tandem: Tandem;
let small: SmallRuns;
beforeAll(async () => {
  wandb = await startWandbServer();
  mlflow = await startMlflow();
  tandem = await startTandem({
    ...{ WANDB_BASE_URL: wandb.url, WANDB_API_KEY: wandb.apiKey },
    MLFLOW_TRACKING_URI: mlflow.uri,
  });
  small = await makeSmallRuns(tandem);
}, 120_000);
afterAll(async () => {
  await tandem?.dispose();
  await wandb?.close();
  await mlflow?.close();
});

const trackers = async (id: string) =>
  (await tandem.get<{ trackers: TrackerStatus[] }>(`/runs/${id}/trackers`)).trackers;
const until = async (condition: () => boolean | Promise<boolean>) => {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not within 60 s; the log of the control plane:\n${tandem.serverLog()}`);
    await sleep(100);
  }
};

it('a run whose W&B is away, whose control plane is killed and which is resumed from further back is in one run of each tracker, each step once', async () => {
  wandb.trouble = () => ({ kind: 'status', status: 503 });
  const training = { max_steps: 24, logging_steps: 1, eval_steps: 8, save_steps: 4, save_total_limit: 10 };
  const { id } = await tandem.post<{ id: string }>('/runs', {
    ...small.sft(training),
    monitoring: { enable_wandb: true, wandb_resume: 'same', enable_tensorboard: true, enable_mlflow: true },
  });
  const tree = tandem.tree(await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 9));
  await until(() => existsSync(join(tree, 'wandb_backup/step_000001.json')));
  expect(await trackers(id)).toMatchObject([
    { kind: 'wandb', state: 'behind', last_error: { message: expect.stringContaining('503') } },
    { kind: 'tensorboard', last_error: null },
    { kind: 'mlflow', last_error: null },
  ]);
  await tandem.post(`/runs/${id}/pause`);
  await tandem.until(id, (run) => run.status === 'paused');
  await tandem.kill();
  wandb.trouble = () => null;
  await tandem.start();
  // What the process before could not send is owed, although the run is at rest.
  await until(async () => (await trackers(id))[0]?.state === 'finished');
  await until(() => readdirSync(join(tree, 'wandb_backup')).length === 0);
  expect(wandb.history(id).length).toBeGreaterThan(9);

  await tandem.post(`/runs/${id}/resume`, { from: 'checkpoint-4' });
  await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 12);
  await tandem.kill();
  await tandem.start();
  await tandem.untilSucceeded(id);
  await until(async () => (await trackers(id)).every(({ state }) => state === 'finished'));
  expect(await trackers(id)).toMatchObject(
    ['wandb', 'tensorboard', 'mlflow'].map((kind) => ({ kind, last_step: 24, backlog: 0, last_error: null })),
  );

  expect([...wandb.runs.values()].map((run) => [run.id, run.state])).toEqual([[id, 'finished']]);
  const rows = wandb.history(id).filter((row) => 'train/loss' in row);
  const steps = Array.from({ length: 24 }, (_, i) => i + 1);
  expect(rows.map((row) => row['train/step'])).toEqual(steps);
  const { series } = await tandem.get<{ series: { values: number[] }[] }>(`/runs/${id}/metrics?names=train/loss`);
  const values = series[0]?.values;
  expect(rows.map((row) => row['train/loss'])).toEqual(values);
  const shown = readBoard(join(tree, 'tensorboard')).get('train/loss') ?? [];
  expect(shown.map(({ step }) => step)).toEqual(steps);
  expect(shown.map(({ value }) => value)).toEqual(values?.map(Math.fround));
  const mlflowRun = (await trackers(id))[2]?.run_id ?? '';
  // Steps that were trained again are the same to the bit.
  expect(await mlflow.history(mlflowRun, 'train/loss')).toEqual(steps.map((step, i) => ({ step, value: values?.[i] })));
  expect(await mlflow.info(mlflowRun)).toMatchObject({ status: 'FINISHED', run_name: id });
  expect(wandb.runs.values().next().value?.config['model_architecture']?.value).toMatchObject({
    hidden_size: expect.any(Number),
    total_parameters: expect.any(Number),
  });

  const script = join(import.meta.dirname, '../../dist/scripts/check-wandb/main.js');
  const env = { PATH: process.env['PATH'], WANDB_BASE_URL: wandb.url, WANDB_API_KEY: wandb.apiKey };
  const checked = await promisify(execFile)(process.execPath, [script, '--run', id, '--url', tandem.url], { env });
  expect(checked.stdout).toContain('W&B is at step 24 with the values of the records');
  const wrong = execFile(process.execPath, [script], { env: { ...env, WANDB_API_KEY: 'nobodys' } });
  let said = '';
  wrong.stderr?.on('data', (chunk) => {
    said += chunk;
  });
  expect(await new Promise((resolve) => wrong.on('exit', resolve))).toBe(1);
  expect(said).toMatch(/does not know the key; set WANDB_API_KEY/);
  expect(said).not.toContain('nobodys');
}, 180_000);
