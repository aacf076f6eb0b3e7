import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRedactor } from '../../../platform/redaction.ts';
import { evaluationRecord, metricsRecord } from '../../records/record.fixtures.ts';
import { RUN } from '../../sinks/sink.fixtures.ts';
import { TrackerError } from '../tracker-error.ts';
import { syncStateName } from './sync-state.ts';
import {
  createMemoryWandb,
  firstAttempt,
  type MemoryWandb,
  never,
  openTrackedRun,
  openTracker,
  type TrackedRun,
} from './wandb.fixtures.ts';

let fixture: TrackedRun;
let wandb: MemoryWandb;
beforeEach(() => {
  fixture = openTrackedRun();
  wandb = createMemoryWandb();
});
afterEach(() => fixture.close());

const resume = (attempt: number, from: number | null, record: number, step: number | null) =>
  fixture.resume({ attempt, resumedFromAttempt: from, record, step });
/** Of each row of a W&B run its step and its loss. */
const losses = (id: string) =>
  wandb
    .rows(id)
    .filter((row) => 'train/loss' in row)
    .map((row) => [row['train/step'], row['train/loss']]);
const state = () => JSON.parse(readFileSync(join(fixture.tree, 'wandb_sync_state.json'), 'utf8'));
const backups = () => {
  const path = join(fixture.tree, 'wandb_backup');
  return existsSync(path) ? readdirSync(path).sort() : [];
};

describe('a run in W&B', () => {
  it('has its config, its architecture, a row per record with the trainer step beside it, its best and its end', async () => {
    fixture.add(1, firstAttempt);
    const monitoring = { wandb_run_name: 'grpo-tiny', wandb_tags: ['grpo'], wandb_entity: 'team', wandb_project: 'p' };
    await openTracker(fixture, wandb, { monitoring, status: () => 'succeeded' }).catchUp(true, never);
    const held = wandb.runs.get(RUN);
    const [upsert] = held?.upserts ?? [];
    expect(upsert).toMatchObject({
      displayName: 'grpo-tiny',
      group: RUN,
      tags: ['grpo'],
      entity: 'team',
      project: 'p',
      jobType: 'train',
    });
    expect(upsert?.config).toMatchObject({
      learning_rate: { value: expect.any(Number) },
      model_path: { value: 'models/tiny' },
      model: { value: { lora: { r: 16 } } },
      model_architecture: { value: { hidden_size: 32, total_parameters: 1000, trainable_parameters: 10 } },
      tandem: { value: { run: RUN, attempt: 1, resumed_from: null } },
      _wandb: { value: { t: expect.anything(), m: expect.arrayContaining([{ '2': '*', '5': 1, '6': [1], '7': [] }]) } },
    });
    expect(wandb.rows(RUN).map((row) => [row['_step'], row['_trainer_step'], row['train/step']])).toEqual([
      [0, 1, 1],
      [1, 2, 2],
      [2, 2, 2],
      [3, 2, 2],
      [4, 2, 2],
      [5, 3, 3],
    ]);
    expect(wandb.rows(RUN)[2]).toMatchObject({ 'eval/accuracy': 0.5, 'eval/correct_answers': 5 });
    expect(wandb.rows(RUN)[3]).not.toHaveProperty('eval/accuracy');
    expect(wandb.rows(RUN)[3]).toMatchObject({ 'eval/best_accuracy': 0.5 });
    expect(JSON.parse(held?.summary ?? '')).toMatchObject({
      'best/step': 2,
      'best/value': 0.5,
      'best/checkpoint': 'checkpoint-2',
      'train/loss': 0.3,
    });
    expect(held?.exitcodes).toEqual([0]);
  });

  it('is, after a resume, by default a new one of the same group, and the axis goes on', async () => {
    fixture.add(1, firstAttempt);
    resume(2, 1, 4, 2);
    fixture.add(2, [metricsRecord(1, 3, { 'train/loss': 0.2 })]);
    await openTracker(fixture, wandb).catchUp(false, never);
    const next = wandb.runs.get(`${RUN}-a2`);
    expect(next?.upserts[0]).toMatchObject({
      group: RUN,
      displayName: 'addition-a2',
      config: { tandem: { value: { resumed_from: { attempt: 1, step: 2 } } } },
    });
    expect(losses(`${RUN}-a2`)).toEqual([[3, 0.2]]);
    expect(wandb.runs.get(RUN)?.exitcodes).toEqual([1]);
  });

  it('is with `same` one run, in which a resume overwrites what it supersedes, also where it is shorter', async () => {
    const monitoring = { wandb_resume: 'same' as const };
    fixture.add(1, firstAttempt);
    await openTracker(fixture, wandb, { monitoring }).catchUp(false, never);
    expect(JSON.parse(wandb.runs.get(RUN)?.summary ?? '')).toHaveProperty('best/step');
    resume(2, 1, 4, 2);
    fixture.add(2, [metricsRecord(1, 3, { 'train/loss': 0.2 })]);
    await openTracker(fixture, wandb, { monitoring }).catchUp(false, never);
    expect([...wandb.runs.keys()]).toEqual([RUN]);
    expect(losses(RUN)).toEqual([
      [1, 0.5],
      [2, 0.4],
      [3, 0.2],
    ]);
    expect(wandb.rows(RUN).map((row) => row['_step'])).toEqual([0, 1, 2, 3, 4, 5]);
    expect(
      wandb
        .rows(RUN)
        .slice(3)
        .map((row) => Object.keys(row)),
    ).toEqual([['_step'], ['_step'], ['_step']]);
    expect(JSON.parse(wandb.runs.get(RUN)?.summary ?? '')).not.toHaveProperty('best/step');
    resume(3, 2, 1, 3);
    fixture.add(3, [metricsRecord(1, 4, { 'train/loss': 0.1 })]);
    await openTracker(fixture, wandb, { monitoring }).catchUp(false, never);
    expect(losses(RUN)).toEqual([
      [1, 0.5],
      [2, 0.4],
      [3, 0.2],
      [4, 0.1],
    ]);
  });

  it('is a new one with force_new_wandb_run, although one is pinned', async () => {
    const monitoring = { wandb_run_id: 'mine', force_new_wandb_run: true };
    fixture.add(1, firstAttempt);
    resume(2, 1, 4, 2);
    fixture.add(2, [metricsRecord(1, 3, { 'train/loss': 0.2 })]);
    await openTracker(fixture, wandb, { monitoring }).catchUp(false, never);
    expect([...wandb.runs.keys()]).toEqual(['mine', `${RUN}-a2`]);
  });

  it('is the pinned one, behind the rows that this has already, and stays it', async () => {
    const settings = { runId: 'pinned' };
    await wandb.upsert({ id: 'pinned', project: 'cua-grpo', entity: null } as never, never);
    await wandb.stream(
      { id: 'pinned' } as never,
      { history: { offset: 0, content: ['{"_step":7,"theirs":1}'] } },
      never,
    );
    fixture.add(1, firstAttempt);
    await openTracker(fixture, wandb, { settings }).catchUp(false, never);
    resume(2, 1, 4, 2);
    fixture.add(2, [metricsRecord(1, 3, { 'train/loss': 0.2 })]);
    await openTracker(fixture, wandb, { settings }).catchUp(false, never);
    expect([...wandb.runs.keys()]).toEqual(['pinned']);
    expect(wandb.rows('pinned')[0]).toEqual({ _step: 7, theirs: 1 });
    expect(losses('pinned')).toEqual([
      [1, 0.5],
      [2, 0.4],
      [3, 0.2],
    ]);
    expect(wandb.rows('pinned').map((row) => row['_step'])).toEqual([7, 8, 9, 10, 11, 12, 13]);
  });
});

it('a W&B run that another run is writing into is waited for', async () => {
  const claims = new Map([['/cua-grpo/mine', 'run-bbbbbbbb']]);
  fixture.add(1, firstAttempt);
  const open = () => openTracker(fixture, wandb, { settings: { runId: 'mine' }, claims, status: () => 'succeeded' });
  await expect(open().catchUp(true, never)).rejects.toThrow('run-bbbbbbbb is writing into the W&B run mine');
  claims.clear();
  await open().catchUp(true, never);
  expect(losses('mine')).toHaveLength(3);
  expect(claims.size).toBe(0);
});

it('a W&B run is free again once its writer is closed, whatever that still had to send', async () => {
  const claims = new Map<string, string>();
  fixture.add(1, firstAttempt);
  wandb.trouble = (call) => {
    if (call === 'stream') throw new TrackerError('unreachable', 'no connection');
  };
  const tracker = openTracker(fixture, wandb, { settings: { runId: 'mine' }, claims, status: () => 'failed' });
  await expect(tracker.catchUp(true, never)).rejects.toThrow('no connection');
  expect(new Set(claims.values())).toEqual(new Set([RUN]));
  tracker.close?.();
  expect(claims.size).toBe(0);
});

it('W&B runs of one id in two entities are two, also where one run names none and W&B says whose it is', async () => {
  fixture.add(1, firstAttempt);
  const open = (holder: string, entity: string | null) => {
    rmSync(join(fixture.tree, 'wandb_sync_state.json'), { force: true });
    const claims = new Map([[holder, 'run-bbbbbbbb']]);
    return openTracker(fixture, wandb, { settings: { runId: 'mine', entity }, claims }).catchUp(false, never);
  };
  await expect(open('team/cua-grpo/mine', 'team')).rejects.toThrow('run-bbbbbbbb is writing');
  await expect(open('tester/cua-grpo/mine', null)).rejects.toThrow('run-bbbbbbbb is writing');
  await open('other/cua-grpo/mine', 'team');
});

describe('what W&B gets', () => {
  it('has no gap and no double, wherever the control plane is killed between or within its calls', async () => {
    const monitoring = { wandb_resume: 'same' as const };
    const all = [firstAttempt, [metricsRecord(1, 3, { 'train/loss': 0.2 }), evaluationRecord(2, 3)]] as const;
    fixture.add(1, all[0]);
    await openTracker(fixture, wandb, { monitoring }).catchUp(false, never);
    resume(2, 1, 4, 2);
    fixture.add(2, all[1]);
    await openTracker(fixture, wandb, { monitoring, status: () => 'succeeded' }).catchUp(true, never);
    const whole = wandb.rows(RUN);
    const calls = wandb.calls.length;

    for (let victim = 0; victim < 2 * calls; victim += 1) {
      const again = openTrackedRun();
      const other = createMemoryWandb();
      let count = 0;
      let process = new AbortController();
      // The process ends before the call is made, or after it was taken and before that is written down.
      other.trouble = (_call, when) => {
        if ((when === 'before' ? 0 : 1) !== victim % 2 || count++ !== Math.floor(victim / 2)) return;
        process.abort();
        throw new Error('killed');
      };
      const live = async (final: boolean) => {
        const status = () => (final ? ('succeeded' as const) : ('running' as const));
        const start = () => openTracker(again, other, { monitoring, status }).catchUp(final, process.signal);
        await start().catch(() => {
          process = new AbortController();
          return start();
        });
      };
      again.add(1, all[0]);
      await live(false);
      again.resume({ attempt: 2, resumedFromAttempt: 1, record: 4, step: 2 });
      again.add(2, all[1]);
      await live(true);
      expect(other.rows(RUN), `killed at ${victim}`).toEqual(whole);
      expect(other.runs.get(RUN)?.exitcodes.at(-1)).toBe(0);
      again.close();
    }
    expect(calls).toBe(7);
  });

  it.each([
    [
      'longer',
      [
        metricsRecord(1, 3, { 'train/loss': 0.2 }),
        ...[4, 5, 6, 7].map((n) => metricsRecord(n - 2, n, { 'train/loss': 0.1 })),
      ],
    ],
    ['shorter', [metricsRecord(1, 3, { 'train/loss': 0.2 })]],
  ])('is the same again after the state file was lost behind a resume with `same` that is %s', async (_, second) => {
    const monitoring = { wandb_resume: 'same' as const };
    const catchUp = () => openTracker(fixture, wandb, { monitoring }).catchUp(false, never);
    fixture.add(1, firstAttempt);
    await catchUp();
    resume(2, 1, 4, 2);
    fixture.add(2, second);
    await catchUp();
    const before = structuredClone(wandb.rows(RUN));
    const summary = wandb.runs.get(RUN)?.summary;
    rmSync(join(fixture.tree, 'wandb_sync_state.json'));
    await catchUp();
    expect(wandb.rows(RUN)).toEqual(before);
    expect(wandb.runs.get(RUN)?.summary).toBe(summary);
    fixture.add(2, [metricsRecord(9, 8, { 'train/loss': 0.05 })]);
    await catchUp();
    expect(losses(RUN).map(([step]) => step)).toEqual([
      ...new Set([1, 2, ...second.map((each) => ('step' in each ? each.step : 0)), 8]),
    ]);
  });

  it('lies in wandb_backup while W&B cannot be reached, and is sent and gone once it can', async () => {
    wandb.trouble = () => {
      throw new TrackerError('unreachable', 'no connection');
    };
    fixture.add(1, firstAttempt);
    const tracker = openTracker(fixture, wandb);
    await expect(tracker.catchUp(false, never)).rejects.toThrow('no connection');
    expect(backups()).toEqual(['step_000001.json', 'step_000002.json', 'step_000003.json']);
    const second = JSON.parse(readFileSync(join(fixture.tree, 'wandb_backup/step_000002.json'), 'utf8'));
    expect(second).toMatchObject({ _trainer_step: 2, 'train/loss': 0.4, 'eval/accuracy': 0.5, 'best/step': 2 });
    expect(await tracker.status()).toMatchObject({
      state: 'behind',
      backlog: 8,
      last_error: { message: 'no connection' },
    });
    wandb.trouble = () => {};
    await openTracker(fixture, wandb).catchUp(false, never);
    expect(backups()).toEqual([]);
    expect(losses(RUN)).toEqual([
      [1, 0.5],
      [2, 0.4],
      [3, 0.3],
    ]);
    expect(await openTracker(fixture, wandb).status()).toMatchObject({
      state: 'live',
      backlog: 0,
      last_step: 3,
      last_error: null,
    });
  });

  it('is not offered again before W&B wants it, and a key it does not know not every second', async () => {
    let at = 0;
    let refusal = new TrackerError('throttled', 'too many', { holdMs: 7000 });
    wandb.trouble = () => {
      throw refusal;
    };
    fixture.add(1, firstAttempt);
    const tracker = openTracker(fixture, wandb, { now: () => at });
    const tryAt = async (ms: number) => {
      at = ms;
      await expect(tracker.catchUp(false, never)).rejects.toThrow(TrackerError);
      return wandb.calls.length;
    };
    expect([await tryAt(0), await tryAt(6999)]).toEqual([1, 1]);
    await expect(tracker.catchUp(false, never)).rejects.toMatchObject({ holdMs: 1 });
    refusal = new TrackerError('key', 'set WANDB_API_KEY');
    expect([await tryAt(7000), await tryAt(900_000), await tryAt(907_000)]).toEqual([2, 2, 3]);
    expect(await tracker.status()).toMatchObject({ state: 'refused', last_error: { message: 'set WANDB_API_KEY' } });
  });

  it('has NaN and infinities as W&B writes them, while state and backups stay JSON', async () => {
    fixture.add(1, [metricsRecord(1, 1, { 'train/loss': 'NaN', 'train/kl': 'Infinity' })]);
    await openTracker(fixture, wandb).catchUp(false, never);
    expect(wandb.runs.get(RUN)?.history[0]).toContain('"train/loss":NaN,"train/kl":Infinity');
    expect(state().summary).toMatchObject({ 'train/loss': 'NaN' });
  });

  it('has its rows in order, none before the beginning, while the clock jumps ahead and back', async () => {
    const years = [2026, 2027, 2020, 2026];
    fixture.add(
      1,
      years.map((year, index) => ({
        ...metricsRecord(index + 1, index + 1, { 'train/loss': year }),
        time: `${year}-11-20T09:00:00.000Z`,
      })),
    );
    await openTracker(fixture, wandb).catchUp(false, never);
    expect(losses(RUN)).toEqual(years.map((year, index) => [index + 1, year]));
    expect(wandb.rows(RUN).map((row) => Number(row['_runtime']) >= 0)).toEqual([true, true, true, true]);
  });

  it('holds no secret of the spec', async () => {
    fixture.add(1, firstAttempt);
    const reward = [{ name: 'http' as const, url: 'http://scorer:hunter22@127.0.0.1:9/?token=abcdef' }];
    const spec = { name: 'a known-secret', reward, labels: { note: 'known-secret', api_key: 'under its name' } };
    const monitoring = { wandb_tags: ['first', 'token=hunter22'] };
    const redactor = createRedactor({ A_KEY: 'known-secret' });
    const tracker = openTracker(fixture, wandb, { spec, monitoring, redactor });
    await tracker.catchUp(false, never);
    expect(wandb.runs.get(RUN)?.upserts[0]).toMatchObject({
      displayName: 'a [redacted]',
      tags: ['first', 'token=[redacted]'],
    });
    const text = JSON.stringify([...wandb.runs.values()]) + JSON.stringify(state());
    expect(text).toContain('[redacted]@127.0.0.1:9');
    expect(text).not.toMatch(/hunter22|abcdef|known-secret|under its name/);
    expect(text).not.toContain('k'.repeat(40));
  });
});

describe('a disk that takes nothing', () => {
  it('is told as what is wrong, and W&B has each row once when it takes something again', async () => {
    fixture.add(1, firstAttempt);
    const tracker = openTracker(fixture, wandb);
    await tracker.catchUp(false, never);
    fixture.add(1, [metricsRecord(9, 4, { 'train/loss': 0.3 })]);
    const path = join(fixture.tree, syncStateName);
    rmSync(path);
    // Nothing can be renamed over it.
    mkdirSync(join(path, 'in the way'), { recursive: true });
    await expect(tracker.catchUp(false, never)).rejects.toThrow(syncStateName);
    const told = await tracker.status();
    expect(told).toMatchObject({
      state: 'behind',
      backlog: 1,
      last_error: { message: expect.stringContaining(syncStateName) },
    });
    rmSync(path, { recursive: true });
    await tracker.catchUp(false, never);
    expect(await tracker.status()).toMatchObject({ state: 'live', backlog: 0, last_error: null });
    expect(wandb.rows(RUN).map((row) => row['_trainer_step'])).toEqual([1, 2, 2, 2, 2, 3, 4]);
  });
});

describe('stop in the page of W&B', () => {
  it('stops the run, once; one that was pressed before a resume does not', async () => {
    const stops: string[] = [];
    const onStop = (message: string) => void stops.push(message);
    const monitoring = { wandb_resume: 'same' as const };
    fixture.add(1, firstAttempt);
    wandb.stopped = true;
    await openTracker(fixture, wandb, { monitoring, onStop }).catchUp(false, never);
    fixture.add(1, [metricsRecord(9, 4, { 'train/loss': 0.3 })]);
    await openTracker(fixture, wandb, { monitoring, onStop }).catchUp(false, never);
    expect(stops).toEqual([`Stopped in W&B by somebody at https://wandb.ai/tester/cua-grpo/runs/${RUN}.`]);
    resume(2, 1, 4, 2);
    fixture.add(2, [metricsRecord(1, 3, { 'train/loss': 0.2 })]);
    await openTracker(fixture, wandb, { monitoring, onStop }).catchUp(false, never);
    expect(stops).toHaveLength(1);
  });
});
