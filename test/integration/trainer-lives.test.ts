import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AttemptSpec } from '../../services/contracts/agent-operations.ts';
import { startStoreServer } from '../../services/platform/testing/store-server.ts';
import { type TestTask, testAttempt, testSpec, writeTestTask } from '../../services/trainer/test-support/attempt.ts';
import {
  event,
  type Interruption,
  type Life,
  live,
  measured,
  messages,
} from '../../services/trainer/test-support/lives.ts';
import { expectDocumentedMetrics } from '../../services/trainer/test-support/metric-names.ts';

let root: string;
let task: TestTask;
/** An uninterrupted run. */
let whole: Life;
const training = { batch_size: 8, max_steps: 6, learning_rate: 1e-3, eval_steps: 3, save_steps: 2, logging_steps: 2 };

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-attempt-'));
  task = await writeTestTask(path.join(root, 'task'), { train: 40, validation: 8, limit: 9 });
  whole = await run();
});
afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 5 }));

interface Given {
  readonly training?: Record<string, unknown>;
  readonly written?: Record<string, unknown>;
  readonly attempt?: Partial<AttemptSpec>;
  readonly during?: Interruption;
}

async function run(given: Given = {}): Promise<Life> {
  const directory = await mkdtemp(path.join(root, 'run-'));
  const written = { method: 'sft', model: { use_lora: true, lora: { r: 4 } }, ...given.written };
  const spec = testSpec(task, { ...written, training: { ...training, ...given.training } });
  const attempt = { ...testAttempt({ spec, task, directory }), ...given.attempt };
  return live(attempt, directory, given.during);
}

describe('a run that completes', () => {
  test('says how it went, from its start to its summary', () => {
    expect(whole.exitCode).toBe(0);
    const said = messages(whole);
    expect(said).toContainEqual(expect.stringMatching(/^Step 2\/6 \(33\.3%\) \| elapsed 0:00:\d\d \| ETA 0:00:\d\d$/));
    expect(said).toContainEqual(expect.stringMatching(/^Training step \| loss=\d+\.\d{3}$/));
    expect(said).toContainEqual(
      expect.stringMatching(/^Memory: about \d+ MiB of the trainer's 3584 MiB\n {2}Weights: \d+ MiB\n/),
    );
    expect(said).toContainEqual(expect.stringContaining('BASELINE EVALUATION'));
    expect(said).toContainEqual(expect.stringContaining('TRAINING SUMMARY'));
    expect(event(whole, 'started')).toBeDefined();
    expect(event(whole, 'finished')).toMatchObject({ reason: 'completed', data: { step: 6, model: 'final' } });
    expect(whole.records.map(({ n }) => n)).toEqual(whole.records.map((_, i) => i + 1));
  });

  test('commits a checkpoint for each purpose, with the last record that it covers', () => {
    expect(whole.manifests.map(({ step, purposes }) => [step, purposes])).toEqual([
      [2, ['step']],
      [3, ['best']],
      [4, ['step']],
      [6, ['step', 'best', 'final']],
    ]);
    for (const { step, record, epoch } of whole.manifests) {
      const covered = whole.records.filter(({ n, kind }) => n <= record && kind === 'metrics');
      expect(covered.at(-1)).toMatchObject({ step });
      expect(epoch).toBeCloseTo((step * 8) / 40);
    }
  });

  test('records the metrics that are documented, all of them and no others', () => {
    expectDocumentedMetrics(whole.records, 'sft');
  });

  test('leaves nothing in its workspace but the spool', async () => {
    const work = path.join(path.dirname(whole.directory), 'work-a1');
    expect(await readdir(path.join(work, 'checkpoints'))).toEqual([]);
    expect((await readdir(work)).sort()).toEqual(['checkpoints', 'spool.jsonl']);
  });
});

test('a model without a chat template is used with bare prompts, and the log says so once', async () => {
  const bare = path.join(root, 'bare');
  await cp(task.model, bare, { recursive: true });
  const file = path.join(bare, 'tokenizer_config.json');
  const { chat_template: _, ...settings } = JSON.parse(await readFile(file, 'utf8'));
  await writeFile(file, JSON.stringify(settings));
  const life = await run({
    training: { max_steps: 1, eval_steps: 0, run_baseline_eval: false },
    attempt: { model_directory: bare },
  });
  expect(life.exitCode).toBe(0);
  const warned = (each: Life) =>
    each.records.filter((record) => record.kind === 'log' && /has no chat template/.test(record.message));
  expect(warned(life)).toEqual([
    expect.objectContaining({ level: 'WARNING', message: expect.stringContaining('prompts are used as bare text') }),
  ]);
  expect(warned(whole)).toEqual([]);
});

test('a control plane that goes away does not disturb training, and then hears everything', async () => {
  const life = await run({
    during: (plane) => {
      plane.onRecord((record) => {
        if (record.kind !== 'evaluation') return;
        plane.failWith = 503;
        setTimeout(() => {
          plane.failWith = null;
        }, 700);
      });
    },
  });
  expect(life.exitCode).toBe(0);
  expect(life.records.map(({ n }) => n)).toEqual(life.records.map((_, i) => i + 1));
  expect(measured([life])).toEqual(measured([whole]));
});

test('a wish for a checkpoint is met at the next step', async () => {
  const life = await run({
    training: { max_steps: 40, save_steps: 1000, eval_steps: 0 },
    during: (plane) => {
      plane.want = 'save';
    },
  });
  expect(life.manifests.map(({ purposes }) => purposes)).toEqual([['stop'], ['final']]);
});

test('through an object store: a save that fails is told with reason and remedy, training goes on, and later ones are kept', async () => {
  const store = await startStoreServer();
  store.interfere = ({ path: key }) =>
    key.includes('checkpoint-4/') ? { status: 507, code: 'XMinioStorageFull' } : undefined;
  const life = await run({ during: (plane) => void Object.assign(plane, { objectStore: store }) });
  await store.close();
  expect(life.exitCode).toBe(0);
  expect(event(life, 'save_failed')).toMatchObject({
    message: expect.stringMatching(/^checkpoint-4 could not be saved: The object store: .*507/),
    reason: 'disk_full',
    remedy: expect.stringContaining('Free space in the object store'),
    data: { step: 4, final_try: true },
  });
  expect(life.manifests.map(({ step }) => step)).toEqual([2, 3, 6]);
  expect(measured([life])).toEqual(measured([whole]));
  expect([...store.objects.keys()].filter((key) => key.endsWith('optimizer.pt'))).toHaveLength(3);
});

test('a checkpoint that is on its way when training fails is still kept', async () => {
  const store = await startStoreServer();
  let onFailed: () => void = () => undefined;
  const failed = new Promise<void>((resolve) => {
    onFailed = resolve;
  });
  store.interfere = async () => void (await failed);
  const life = await run({
    training: { learning_rate: 10, weight_decay: 100, max_steps: 60, eval_steps: 0, save_steps: 3 },
    during: (plane) => {
      Object.assign(plane, { objectStore: store });
      plane.onRecord((record) => {
        if (record.kind === 'event' && record.name === 'failed') onFailed();
      });
    },
  });
  await store.close();
  expect(life.exitCode).toBe(68);
  expect(life.manifests.map(({ step }) => step)).toEqual([3]);
});

test('the target accuracy ends training early and says so', async () => {
  const life = await run({ training: { target_accuracy: 0 } });
  expect(event(life, 'finished')).toMatchObject({ reason: 'target_accuracy_reached', data: { step: 3 } });
  expect(life.manifests.at(-1)).toMatchObject({ step: 3, purposes: ['best', 'final'] });
  expect(messages(life)).toContainEqual(expect.stringContaining('Target accuracy reached: yes'));
});

test('evaluations without improvement end training early', async () => {
  const patience = { metric_for_best_model: 'eval/accuracy', early_stopping_patience: 1, learning_rate: 1e-9 };
  const life = await run({ training: { ...patience, eval_steps: 2 } });
  expect(event(life, 'finished')).toMatchObject({ reason: 'early_stopped', data: { step: 4, best_step: 2 } });
});

describe('the baseline', () => {
  const recorded = { accuracy: 0.25, timestamp: '2026-11-20T09:00:00.000Z', run: 'run-parent00' };

  test('is taken over when it is not to be measured, and it says which', async () => {
    const life = await run({ attempt: { run_baseline_eval: false, baseline: recorded } });
    expect(messages(life)).toContain(
      'Baseline loaded: accuracy 0.2500 of run-parent00, taken 2026-11-20T09:00:00.000Z',
    );
    expect(measured([life]).evaluations.map(({ step }) => step)).toEqual([3, 6]);
  });

  test('may be missing', async () => {
    const life = await run({ attempt: { run_baseline_eval: false } });
    expect(messages(life)).toContainEqual(expect.stringContaining('none is recorded; training goes on'));
    expect(life.exitCode).toBe(0);
  });
});

describe('a failure says its reason, where, and the remedy, in its event and its exit code', () => {
  test.each([
    ['invalid_data', 65, 'bad.jsonl:1: is not JSON', { attempt: { train_data: 'bad.jsonl' } }],
    ['invalid_model', 66, 'config.json', { attempt: { model_directory: '/nowhere' } }],
    [
      'nan_loss',
      68,
      'Training diverged',
      { training: { learning_rate: 10, weight_decay: 100, max_steps: 60, eval_steps: 0 } },
    ],
    ['invalid_data', 65, 'chosen', { written: { method: 'dpo' } }],
    ['inference_failed', 69, 'no inference server', { written: { method: 'grpo' } }],
  ] as const)('%s', async (reason, code, message, given: Given) => {
    const bad = path.join(root, 'bad.jsonl');
    await writeFile(bad, '{"prompt":');
    const attempt = { ...given.attempt, ...(given.attempt?.train_data && { train_data: bad }) };
    const life = await run({ ...given, attempt });
    expect(event(life, 'failed')).toMatchObject({ reason, message: expect.stringContaining(message) });
    expect(life.exitCode).toBe(code);
    expect(messages(life).at(-1)).not.toMatch(/\n {4}at /);
  });

  test('oom_host, before a weight is read that there is no room for', async () => {
    const directory = await mkdtemp(path.join(root, 'large-'));
    const config = JSON.parse(await readFile(path.join(task.model, 'config.json'), 'utf8'));
    await writeFile(path.join(directory, 'config.json'), JSON.stringify({ ...config, num_hidden_layers: 17_000 }));
    const life = await run({ attempt: { model_directory: directory } });
    expect(event(life, 'failed')).toMatchObject({
      reason: 'oom_host',
      message: expect.stringMatching(/^Loading the model: .* need \d+ MiB, and the engine has 3584 MiB$/),
      remedy: expect.stringMatching(/^Set .*model.use_4bit: true.* \(\d+ MiB\)\.$/),
    });
    expect(life.exitCode).toBe(71);
  });
});
