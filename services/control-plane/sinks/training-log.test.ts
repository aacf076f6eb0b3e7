import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunSpecInput } from '../../contracts/run-spec.ts';
import { evaluationRecord, logRecord, metricsRecord } from '../records/record.fixtures.ts';
import { openSinkFixture, RUN, type SinkFixture } from './sink.fixtures.ts';
import { createTrainingLogSink } from './training-log.sink.ts';

const { signal } = new AbortController();

let fixture: SinkFixture;
let now = 0;
beforeEach(() => {
  fixture = openSinkFixture();
  now = 0;
});
afterEach(() => fixture.close());

const path = () => join(fixture.tree, 'training_log.json');
const read = () => JSON.parse(readFileSync(path(), 'utf8'));
/** The very bytes, which `test/golden/training-log/read.py` reads as users' scripts do. */
const expectGolden = (method: string) =>
  expect(readFileSync(path(), 'utf8')).toMatchFileSnapshot(`../../../test/golden/training-log/${method}.json`);
const sink = (spec: Omit<RunSpecInput, 'model'>) =>
  createTrainingLogSink({
    target: fixture.target(spec),
    records: fixture.records.records,
    checkpoints: fixture.checkpoints.checkpoints,
    now: () => now,
  });
const grpo = (n: number, step: number, values: Record<string, number | 'NaN'> = {}) =>
  metricsRecord(n, step, {
    'train/loss': 0.5,
    'train/avg_reward': 0.6,
    'train/kl': 0.01,
    'train/learning_rate': 1e-5,
    ...values,
  });

describe('training_log.json', () => {
  it('has the rows of a GRPO run that the scripts index', async () => {
    const records = [10, 15, 20, 25].map((step, index) =>
      grpo(index + 1, step, step === 20 ? { 'train/loss': 'NaN' } : {}),
    );
    await fixture.records.records.ingest(RUN, 1, [...records, evaluationRecord(5, 20, { avg_reward: 0.7 })]);
    await fixture.checkpoints.save(20, ['step', 'best'], { best_metric: 0.7 });
    await sink({ method: 'grpo', data: { train_data: 'a.jsonl' } }).catchUp(true, signal);
    expect(read()).toEqual({
      config: {
        model_path: 'models/tiny',
        train_data: 'a.jsonl',
        val_data: null,
        output_dir: 'outputs/run',
        num_epochs: 1,
        batch_size: 4,
        learning_rate: 1e-5,
        gradient_accumulation_steps: 1,
        num_generations: 4,
        temperature: 1,
        kl_coef: 0,
      },
      train_history: [
        { step: 10, epoch: 0.1, samples: 40, loss: 0.5, reward: 0.6, kl: 0.01, lr: 1e-5 },
        { step: 20, epoch: 0.2, samples: 80, loss: null, reward: 0.6, kl: 0.01, lr: 1e-5 },
        { step: 25, epoch: 0.25, samples: 100, loss: 0.5, reward: 0.6, kl: 0.01, lr: 1e-5 },
      ],
      val_history: [
        {
          step: 20,
          epoch: 0.2,
          samples: 80,
          val_reward: 0.7,
          val_format: null,
          val_bbox: null,
          val_category: null,
          val_completeness: null,
        },
      ],
      best_checkpoint: { step: 20, epoch: 0.2, samples: 80, val_reward: 0.7, path: 'outputs/run/best_model' },
    });
    await expectGolden('grpo');
  });

  it('has the rows of an SFT run, and its final metrics at the end', async () => {
    const row = (n: number, step: number) => metricsRecord(n, step, { 'train/loss': 0.5, 'train/learning_rate': 2e-4 });
    await fixture.records.records.ingest(RUN, 1, [
      row(1, 10),
      evaluationRecord(2, 10, { eval_loss: 0.42 }),
      row(3, 12),
    ]);
    await fixture.checkpoints.save(10, ['best'], { best_metric: 0.42 });
    const writer = sink({ method: 'sft' });
    await writer.catchUp(false, signal);
    const live = read();
    expect(live.train_history).toEqual([{ step: 10, epoch: 0.1, loss: 0.5, learning_rate: 2e-4 }]);
    expect(live.val_history).toEqual([{ step: 10, epoch: 0.1, eval_loss: 0.42 }]);
    expect(live.config).toMatchObject({ lora_r: 16, use_4bit: false, bf16: false });
    expect(live).not.toHaveProperty('final_metrics');
    await writer.catchUp(true, signal);
    expect(read().train_history.map(({ step }: { step: number }) => step)).toEqual([10, 12]);
    expect(read().final_metrics).toEqual({ best_metric: 0.42, best_checkpoint: 'outputs/run/best_model' });
    await expectGolden('sft');
  });

  it('has the rows of a DPO run, and its best checkpoint with all that was validated', async () => {
    const row = (n: number, step: number) =>
      metricsRecord(n, step, { 'train/loss': 0.6, 'train/accuracy': 0.75, 'train/reward_margin': 0.2 });
    await fixture.records.records.ingest(RUN, 1, [
      row(1, 10),
      evaluationRecord(2, 10, { accuracy: 0.8, eval_loss: 0.55, reward_margin: 0.3 }),
      row(3, 15),
    ]);
    await fixture.checkpoints.save(10, ['best'], { best_metric: 0.8 });
    await sink({ method: 'dpo', dpo: { beta: 0.2 } }).catchUp(true, signal);
    expect(read()).toMatchObject({
      config: { model_path: 'models/tiny', beta: 0.2 },
      train_history: [
        { step: 10, epoch: 0.1, loss: 0.6, accuracy: 0.75, reward_margin: 0.2 },
        { step: 15, epoch: 0.15, loss: 0.6, accuracy: 0.75, reward_margin: 0.2 },
      ],
    });
    const validated = { val_loss: 0.55, val_accuracy: 0.8, val_reward_margin: 0.3 };
    expect(read().val_history).toEqual([{ step: 10, epoch: 0.1, ...validated }]);
    expect(read().best_checkpoint).toEqual({ step: 10, epoch: 0.1, ...validated, path: 'outputs/run/best_model' });
    await expectGolden('dpo');
  });

  it('has an empty val_history where nothing is validated', async () => {
    await fixture.records.records.ingest(RUN, 1, [grpo(1, 10)]);
    await sink({}).catchUp(false, signal);
    expect(read()).toMatchObject({ val_history: [], best_checkpoint: null });
  });

  it('shows each step once after a resume', async () => {
    await fixture.records.records.ingest(RUN, 1, [grpo(1, 10), grpo(2, 20)]);
    fixture.records.records.markSuperseded(RUN, { attempt: 2, resumedFromAttempt: 1, record: 1, step: 10 });
    await fixture.records.records.ingest(RUN, 2, [grpo(1, 20, { 'train/loss': 0.1 })]);
    await sink({}).catchUp(false, signal);
    expect(read().train_history.map(({ step, loss }: { step: number; loss: number }) => [step, loss])).toEqual([
      [10, 0.5],
      [20, 0.1],
    ]);
  });

  it('is written at once after a validation, and otherwise no more than each five seconds', async () => {
    const writer = sink({});
    let n = 0;
    const step = async (value: number) => {
      await fixture.records.records.ingest(RUN, 1, [grpo(++n, value)]);
      await writer.catchUp(false, signal);
      return read().train_history.length;
    };
    expect(await step(10)).toBe(1);
    now = 4999;
    expect(await step(20)).toBe(1);
    now = 5000;
    expect(await step(30)).toBe(3);
    now = 5001;
    await fixture.records.records.ingest(RUN, 1, [evaluationRecord(++n, 30)]);
    expect(await step(40)).toBe(4);
    const before = statSync(path()).mtimeMs;
    now = 60_000;
    await writer.catchUp(false, signal);
    expect(statSync(path()).mtimeMs).toBe(before);
  });

  it('gets what came while it rested although nothing follows, and is not written anew for lines of logs', async () => {
    const writer = sink({});
    const { records } = fixture.records;
    await records.ingest(RUN, 1, [grpo(1, 10), logRecord(2)]);
    await writer.catchUp(false, signal);
    await records.ingest(RUN, 1, [grpo(3, 20)]);
    await writer.catchUp(false, signal);
    expect(read().train_history).toHaveLength(1);
    now += writer.everyMs ?? 0;
    await writer.catchUp(false, signal);
    expect(read().train_history).toHaveLength(2);
    const { ino } = statSync(path());
    now += 60_000;
    await records.ingest(RUN, 1, [logRecord(4), logRecord(5)]);
    await writer.catchUp(false, signal);
    expect(statSync(path()).ino).toBe(ino);
  });

  it('is left alone by a clock that was set back', async () => {
    now = 1_000_000;
    const writer = sink({});
    await fixture.records.records.ingest(RUN, 1, [grpo(1, 10)]);
    await writer.catchUp(false, signal);
    now = 0;
    await fixture.records.records.ingest(RUN, 1, [grpo(2, 20)]);
    await writer.catchUp(false, signal);
    expect(read().train_history).toHaveLength(2);
  });

  it('has the rewards of visual grounding that were recorded at an evaluation', async () => {
    const grounding = { val_format: 1, val_bbox: 0.5, val_category: 0.75, val_completeness: 'NaN' as const };
    await fixture.records.records.ingest(RUN, 1, [
      grpo(1, 10),
      evaluationRecord(2, 10, { avg_reward: 0.7 }),
      metricsRecord(3, 10, grounding),
      grpo(4, 20),
    ]);
    await sink({}).catchUp(false, signal);
    expect(read().val_history[0]).toMatchObject({ ...grounding, val_reward: 0.7, val_completeness: null });
  });
});

describe('an update of training_log.json', () => {
  const every = { training: { logging_steps: 1 } } as const;
  const steps = () => read().train_history.map(({ step }: { step: number }) => step);
  const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, at) => from + at);

  it('reads and renders what is new, however long the run is', async () => {
    const { records } = fixture.records;
    const asked: [number, number][] = [];
    const counting = {
      ...records,
      rows: (run: string, query: Parameters<typeof records.rows>[1]) => {
        asked.push([query.fromStep, query.toStep]);
        return records.rows(run, query);
      },
      evaluationEntries: (run: string) => {
        asked.push([0, Number.POSITIVE_INFINITY]);
        return records.evaluationEntries(run);
      },
    };
    const { checkpoints } = fixture.checkpoints;
    const writer = createTrainingLogSink({
      target: fixture.target(every),
      records: counting,
      checkpoints,
      now: () => now,
    });
    await records.ingest(
      RUN,
      1,
      range(1, 500).map((step) => grpo(step, step)),
    );
    await writer.catchUp(false, signal);
    asked.length = 0;
    now = 5000;
    await records.ingest(RUN, 1, [grpo(501, 501), grpo(502, 502)]);
    await writer.catchUp(false, signal);
    expect(asked).toEqual([
      [500, 501],
      [502, 502],
    ]);
    expect(steps()).toEqual(range(1, 502));
  });

  it('comes less often in proportion, where the file is large', async () => {
    const writer = sink({ data: { train_data: 'x'.repeat(3 * 2 ** 20) } });
    await fixture.records.records.ingest(RUN, 1, [grpo(1, 10)]);
    await writer.catchUp(false, signal);
    await fixture.records.records.ingest(RUN, 1, [grpo(2, 20)]);
    now = 14_999;
    await writer.catchUp(false, signal);
    expect(steps()).toEqual([10]);
    now = 15_100;
    await writer.catchUp(false, signal);
    expect(steps()).toEqual([10, 20]);
  });

  it('corrects rows that a trainer reports late, or anew', async () => {
    const writer = sink(every);
    await fixture.records.records.ingest(RUN, 1, [grpo(1, 1), grpo(2, 2), grpo(3, 3)]);
    await writer.catchUp(false, signal);
    now = 5000;
    await fixture.records.records.ingest(RUN, 1, [grpo(4, 3, { 'train/loss': 0.25 }), grpo(5, 4)]);
    await writer.catchUp(false, signal);
    expect(read().train_history[2].loss).toBe(0.25);
    now = 10_000;
    await fixture.records.records.ingest(RUN, 1, [grpo(6, 2, { 'train/loss': 0.125 })]);
    await writer.catchUp(false, signal);
    expect(read().train_history[1].loss).toBe(0.125);
    expect(steps()).toEqual([1, 2, 3, 4]);
  });

  it('takes in components of the reward that a trainer reports after it has gone on', async () => {
    const writer = sink(every);
    await fixture.records.records.ingest(RUN, 1, [grpo(1, 1), evaluationRecord(2, 1), grpo(3, 2)]);
    await writer.catchUp(false, signal);
    expect(read().val_history[0].val_format).toBeNull();
    now = 5000;
    await fixture.records.records.ingest(RUN, 1, [metricsRecord(4, 1, { val_format: 0.75 })]);
    await writer.catchUp(false, signal);
    expect(read().val_history[0].val_format).toBe(0.75);
  });

  it('makes the file anew when what it builds on is gone, and leaves nothing else behind', async () => {
    const writer = sink(every);
    await fixture.records.records.ingest(RUN, 1, [grpo(1, 1), grpo(2, 2)]);
    await writer.catchUp(false, signal);
    const hidden = () => readdirSync(fixture.tree).filter((name) => name.startsWith('.tmp-'));
    expect(hidden()).toHaveLength(1);
    for (const name of hidden()) rmSync(join(fixture.tree, name));
    now = 5000;
    await fixture.records.records.ingest(RUN, 1, [grpo(3, 3)]);
    await expect(writer.catchUp(false, signal)).rejects.toThrow('ENOENT');
    expect(steps()).toEqual([1, 2]);
    await writer.catchUp(true, signal);
    expect(steps()).toEqual([1, 2, 3]);
    expect(readdirSync(fixture.tree)).toEqual(['training_log.json']);
  });
});
