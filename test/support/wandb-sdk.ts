import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { metricsRecord } from '../../services/control-plane/records/record.fixtures.ts';
import { createWandbClient } from '../../services/control-plane/trackers/wandb/wandb.client.ts';
import {
  firstAttempt,
  never,
  openTrackedRun,
  openTracker,
  wandbSettings,
} from '../../services/control-plane/trackers/wandb/wandb.fixtures.ts';
import { type HeldRun, parseLine, startWandbServer } from './wandb-server.ts';

/** What W&B holds of a run, without what differs from process to process: times, and which client it was. */
export function comparable(run: HeldRun): Record<string, unknown> {
  const { config, files, ...rest } = run;
  const { _wandb, ...values } = config;
  const { m } = _wandb?.value as { m: { [key: string]: unknown }[] };
  const timeless = ({ _runtime, _timestamp, _wandb, ...row }: Record<string, unknown>) => row;
  return {
    ...rest,
    config: { ...values, '_wandb.m': m },
    history: (files['wandb-history.jsonl'] ?? []).map(parseLine).map(timeless),
    summary: timeless(parseLine(files['wandb-summary.json']?.at(-1) ?? '{}')),
  };
}

/** The same with a part of the config alone: the spec gets new keys, which say nothing of W&B. */
export function recorded(run: HeldRun): Record<string, unknown> {
  const held = comparable(run);
  const keys = ['method', 'model_path', 'learning_rate', 'lora_r', 'model_architecture', 'tandem', '_wandb.m'];
  const config = held['config'] as Record<string, unknown>;
  return { ...held, config: Object.fromEntries(keys.map((key) => [key, config[key]])) };
}

/** A run of three steps with an evaluation, a best, NaN and infinity, tracked by Tandem. */
export async function trackByTandem(): Promise<HeldRun> {
  const server = await startWandbServer();
  const run = openTrackedRun();
  try {
    run.add(1, firstAttempt);
    run.add(1, [metricsRecord(9, 4, { 'train/loss': 'NaN', 'train/kl': 'Infinity' })]);
    const settings = { ...wandbSettings, baseUrl: server.url, entity: 'tester' };
    const client = createWandbClient({ settings, now: Date.now });
    const monitoring = { wandb_run_name: 'addition-grpo', wandb_tags: ['grpo', 'tiny'] };
    const status = () => 'succeeded' as const;
    await openTracker(run, client, { settings, monitoring, status }).catchUp(true, never);
    return [...server.runs.values()][0] as HeldRun;
  } finally {
    run.close();
    await server.close();
  }
}

/** The same run, logged by the SDK of `python`. */
export async function trackBySdk(python: string, like: HeldRun): Promise<HeldRun> {
  const server = await startWandbServer();
  const directory = await mkdtemp(join(tmpdir(), 'tandem-wandb-sdk-'));
  try {
    const { _wandb, ...config } = like.config;
    const ours = new Set(['_step', '_runtime', '_timestamp']);
    const rows = (like.files['wandb-history.jsonl'] ?? [])
      .map(parseLine)
      .map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !ours.has(name))));
    const values = Object.fromEntries(Object.entries(config).map(([key, { value }]) => [key, value]));
    const { entity, project, id, displayName, group, tags, jobType, exitcode } = like;
    const input = { entity, project, id, displayName, group, tags, jobType, exitcode, config: values, rows };
    await writeFile(join(directory, 'input.json'), JSON.stringify(input));
    const script = join(import.meta.dirname, '../../test/golden/wandb/log_run.py').replace('/dist/', '/');
    const environment = {
      WANDB_BASE_URL: server.url,
      WANDB_API_KEY: server.apiKey,
      WANDB_DIR: directory,
      HOME: directory,
    };
    await promisify(execFile)(python, [script, join(directory, 'input.json')], {
      env: { PATH: process.env['PATH'], ...environment },
      timeout: 90_000,
    });
    return [...server.runs.values()][0] as HeldRun;
  } finally {
    await server.close();
    await rm(directory, { recursive: true, force: true });
  }
}
