import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImportReport } from '../../contracts/checkpoint-requests.ts';
import type { Database } from '../../platform/database.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { openMemoryStore } from '../../platform/testing/memory-store.ts';
import { ProblemError } from '../api/problem-error.ts';
import { createTestBench, reconcileUntil, type TestBench } from '../testing.ts';
import type { Wiring } from '../wiring.ts';

const golden = (name: string) => fileURLToPath(new URL(`../../../test/golden/hf-trainer/${name}`, import.meta.url));

let bench: TestBench;
let wiring: Wiring & { db: Database };
beforeEach(async () => {
  bench = await createTestBench();
  wiring = await bench.open();
});
afterEach(() => bench.remove());

const spec = { method: 'sft', model: { name: 'model' }, data: { train_data: 'train.jsonl' } };
const dryRun = (path: string, over: Record<string, unknown> = spec) => wiring.imports.dryRun({ path, spec: over });
const importAs = (path: string, over: Record<string, unknown> = spec) =>
  wiring.imports.run({ path, spec: over }, () => undefined);
const write = (path: string, content: unknown) => {
  mkdirSync(dirname(join(bench.root, path)), { recursive: true });
  writeFileSync(join(bench.root, path), typeof content === 'string' ? content : JSON.stringify(content));
};
const adapterConfig = { r: 4, lora_alpha: 8, target_modules: ['q_proj', 'v_proj'], base_model_name_or_path: 'model' };
/** A safetensors file without tensors, and a text. */
const weights = (text: string) => `\x02${'\0'.repeat(7)}{}${text}`;
/** The first 8 bytes of a safetensors file. */
const header = (length: bigint) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(length);
  return bytes;
};
/** A checkpoint with an adapter that says which one it is. */
const checkpoint = (path: string, step: number | null, more: Record<string, unknown> = {}) => {
  write(`${path}/model/adapter_model.safetensors`, weights(`weights of ${path}`));
  write(`${path}/model/adapter_config.json`, adapterConfig);
  if (step !== null)
    write(`${path}/training_state.json`, { global_step: step, epoch: step / 100, best_metric: 0.5, ...more });
};
const refusalOf = async (work: Promise<unknown>): Promise<ProblemError> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof ProblemError)) throw new Error(`not refused with a problem: ${String(error)}`);
  return error;
};
const runOf = ({ run }: ImportReport) => {
  if (run === null) throw new Error('no run was made');
  return run;
};
const manifestOf = (run: string, step: number): unknown =>
  JSON.parse(readFileSync(join(stored(run), `checkpoint-${step}/manifest.json`), 'utf8'));
const stored = (run: string) => join(bench.root, '.tandem/objects/runs', run, 'checkpoints/a1');

describe('an imported folder', () => {
  it('of the Hugging Face Trainer becomes a paused run with its step, its log and what it lacks', async () => {
    cpSync(golden('lora/checkpoint-4'), join(bench.root, 'checkpoint-4'), { recursive: true });
    const report = await importAs('checkpoint-4');
    expect(report.imported).toEqual([
      expect.objectContaining({
        name: 'checkpoint-4',
        from: 'checkpoint-4',
        layout: 'hf-trainer',
        missing: ['rng_state.json', 'tokenizer/'],
      }),
    ]);
    expect(report.records).toEqual({ log_history: 6 });
    expect(report.skipped).toEqual([
      { from: 'checkpoint-4/rng_state.pth', why: 'is a pickle of Python objects, which is never read' },
    ]);

    const run = wiring.service.get(runOf(report));
    expect(run).toMatchObject({ status: 'paused', reason: 'imported', progress: { step: 4, total_steps: 4 } });
    expect(run.spec).toMatchObject({
      method: 'sft',
      model: { use_lora: true, lora: { r: 2, alpha: 4 } },
      training: { max_steps: 4, save_steps: 2, logging_steps: 1 },
    });
    const [series] = await wiring.records.metrics({
      run: run.id,
      names: ['train/loss'],
      fromStep: 0,

      points: 100,
    });
    expect(series?.steps).toEqual([1, 2, 3, 4]);
    expect(wiring.records.evaluations(run.id).map(({ step, eval_loss }) => [step, eval_loss?.toFixed(3)])).toEqual([
      [2, '5.960'],
      [4, '5.948'],
    ]);
    const [manifest] = wiring.archive.checkpoints.list(run.id);
    expect(manifest).toMatchObject({ step: 4, aliases: ['latest'], purposes: ['step'], policy_version: 4 });
    for (const { path, size, sha256 } of manifest?.files ?? []) {
      const bytes = readFileSync(join(stored(run.id), 'checkpoint-4', path));
      expect({ path, size, sha256 }).toEqual({
        path,
        size: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
      });
    }
  });

  it('can be resumed and forked like any other run', async () => {
    checkpoint('out/checkpoint-40', 40);
    const id = runOf(await importAs('out', { ...spec, training: { max_steps: 60 } }));
    const fork = await wiring.service.resume(
      id,
      { from: 'checkpoint-40', overrides: { training: { max_steps: 50 } }, fork: true },
      () => undefined,
    );
    expect(fork.body).toMatchObject({ status: 'queued', parent: `${id}/checkpoint-40` });
    const resumed = await wiring.service.resume(id, { from: 'latest', overrides: {}, fork: false }, () => undefined);
    expect(resumed.body).toMatchObject({ status: 'queued', message: `Resumed from ${id}/a1/checkpoint-40.` });
  });

  it('with a whole output brings its checkpoints, marks, log, evaluations, baseline and backups, and its tree shows them again', async () => {
    for (const step of [20, 40]) checkpoint(`out/checkpoints/checkpoint-${step}`, step);
    checkpoint('out/best_model', 20);
    checkpoint('out/final', 40);
    const rows = [10, 20, 30, 40].map((step) => ({ step, epoch: step / 100, loss: 1 / step, learning_rate: 1e-4 }));
    const validation = { step: 20, epoch: 0.2, eval_loss: 0.7 };
    write('out/training_log.json', {
      config: {
        model_path: 'model',
        train_data: 'train.jsonl',
        num_epochs: 3,
        batch_size: 2,
        learning_rate: 1e-4,
        lora_r: 4,
        epsilon: 0.1,
        epsilon_high: 0.3,
        output_dir: 'out',
        api_key: 'x',
      },
      train_history: rows,
      val_history: [validation],
      final_metrics: { best_metric: 0.7, best_checkpoint: 'out/best_model' },
    });
    write('out/eval_logs/eval_step_0040.json', {
      step: 40,
      accuracy: 0.5,
      correct_answers: 1,
      total_samples: 2,
      newer_key: 'x',
    });
    write('out/baseline_eval.json', { accuracy: 0.25, total_samples: 2, timestamp: '2026-11-20T09:00:00.000Z' });
    write('out/wandb_backup/step_000030.json', {
      _trainer_step: 30,
      _timestamp: 1,
      'train/loss': 0.125,
      'perf/throughput': 7,
    });
    write('out/logs/training.log', 'text');

    const report = await importAs('out', { training: { max_steps: 60 } });
    const id = runOf(report);
    expect(report.imported.map(({ name, from }) => [name, from])).toEqual([
      ['checkpoint-20', expect.stringMatching(/checkpoint-20|best_model/)],
      ['checkpoint-40', expect.stringMatching(/checkpoint-40|final/)],
    ]);
    expect(report.records).toEqual({ train_history: 4, val_history: 1, evaluations: 1, wandb_backup: 1, baseline: 1 });
    expect(wiring.service.get(id).spec).toMatchObject({
      training: { num_epochs: 3, batch_size: 2, max_steps: 60, logging_steps: 10, output_dir: null },
      grpo: { epsilon_low: 0.1, epsilon_high: 0.3 },
    });
    const named = wiring.archive.checkpoints.list(id).map(({ name, aliases, purposes }) => [name, aliases, purposes]);
    expect(named).toEqual([
      ['checkpoint-40', ['latest', 'final'], ['step', 'final']],
      ['checkpoint-20', ['best'], ['step', 'best']],
    ]);
    expect(wiring.records.baseline(id)).toMatchObject({ step: -1, is_baseline: true, accuracy: 0.25, avg_reward: 0 });
    expect(wiring.records.evaluations(id).map(({ step, accuracy }) => [step, accuracy])).toEqual([
      [-1, 0.25],
      [20, 0],
      [40, 0.5],
    ]);
    const series = await wiring.records.metrics({
      run: id,
      names: ['train/loss', 'perf/throughput'],
      fromStep: 30,
      toStep: 30,
      points: 10,
    });
    expect(series.map(({ name, values }) => [name, values])).toEqual([
      ['perf/throughput', [7]],
      ['train/loss', [0.125]],
    ]);

    await reconcileUntil(wiring, () => wiring.db.get('SELECT 1 FROM runs WHERE files_due = 1') === undefined);
    const log = JSON.parse(bench.read(`outputs/${id}/training_log.json`));
    expect(log.train_history).toEqual(rows.map((row) => (row.step === 30 ? { ...row, loss: 0.125 } : row)));
    expect(log.val_history).toEqual([validation, { step: 40, epoch: 0.4, eval_loss: null }]);
    expect(bench.read(`outputs/${id}/best_model/model/adapter_model.safetensors`)).toMatch(/\}weights of out/);
    expect(existsSync(join(bench.root, 'out/checkpoints/checkpoint-20'))).toBe(true);
  });

  it('counts from step 0 after a checkpoint without state, and then none of its records', async () => {
    checkpoint('checkpoint-30', null);
    write('checkpoint-30/training_metadata.json', {
      step: 30,
      accuracy: null,
      metrics: { loss: 0.5 },
      config: { learning_rate: 0.001 },
    });
    const report = await importAs('checkpoint-30');
    expect(report.imported[0]).toMatchObject({
      name: 'checkpoint-30',
      missing: expect.arrayContaining(['optimizer.pt', 'training_state.json']),
    });
    expect(manifestOf(runOf(report), 30)).toMatchObject({
      step: 30,
      record: 0,
      policy_version: 0,
      metrics: { loss: 0.5 },
    });
    expect(wiring.service.get(runOf(report)).spec.training.learning_rate).toBe(0.001);
  });

  it('takes the scale of an adapter over, also of one that is scaled by the root of its rank', async () => {
    checkpoint('a', 1);
    write('a/model/adapter_config.json', { ...adapterConfig, use_rslora: true });
    expect(wiring.service.get(runOf(await importAs('a'))).spec.model.lora).toMatchObject({
      r: 4,
      alpha: 16,
      target_modules: ['q_proj', 'v_proj'],
    });
  });

  it('finds the step of a folder that counts samples by the training log', async () => {
    write('out/checkpoint-samples-160/model.pt', 'x');
    write('out/training_log.json', {
      config: {},
      train_history: [
        { step: 5, samples: 80 },
        { step: 10, samples: 160 },
      ],
      val_history: [],
    });
    const report = await dryRun('out');
    expect(report.imported).toEqual([expect.objectContaining({ name: 'checkpoint-10', layout: 'samples' })]);
  });

  it('may be imported again: each import is a run of its own', async () => {
    checkpoint('a', 1);
    const [one, other] = [await importAs('a'), await importAs('a')];
    expect(one.run).not.toBe(other.run);
    expect({ ...one, run: null }).toEqual({ ...other, run: null });
  });
});

describe('a dry run', () => {
  it('answers the same and changes nothing', async () => {
    checkpoint('a', 1);
    const before = readdirSync(bench.root, { recursive: true }).sort();
    const report = await dryRun('a');
    expect(readdirSync(bench.root, { recursive: true }).sort()).toEqual(before);
    expect(wiring.service.list({ limit: 10 }).runs).toEqual([]);
    expect({ ...(await importAs('a')), run: null }).toEqual(report);
  });
});

describe('what is lacking', () => {
  it('is said by the key of the spec', async () => {
    checkpoint('a', 1);
    write('a/model/adapter_config.json', { r: 4, lora_alpha: 8 });
    const noModel = await refusalOf(importAs('a', {}));
    expect(noModel).toMatchObject({ type: 'invalid-spec', issues: [{ path: 'model.name' }] });
    const noData = await refusalOf(importAs('a', { model: { name: 'model' } }));
    expect(noData.issues).toEqual([{ path: 'data.train_data', message: expect.stringContaining('is needed') }]);
    const outside = await refusalOf(importAs('/etc'));
    expect(outside.issues).toEqual([{ path: 'path', message: expect.stringContaining('outside the directories') }]);
  });

  it('is said of a folder with no checkpoint', async () => {
    write('empty/training_log.json', {});
    expect(await refusalOf(importAs('empty'))).toMatchObject({
      type: 'checkpoint-unusable',
      message: expect.stringContaining('holds no checkpoint'),
    });
  });

  it('is nothing of a tree that belongs to a run here', async () => {
    checkpoint('a', 1);
    const id = runOf(await importAs('a'));
    expect(await refusalOf(importAs(`outputs/${id}`))).toMatchObject({
      type: 'conflict',
      message: expect.stringContaining(id),
    });
  });
});

describe('a hostile folder', () => {
  it('leads nowhere: links, pipes and files of the host are not read', async () => {
    checkpoint('a', 1);
    writeFileSync(join(bench.root, 'secret'), 'secret');
    symlinkSync(join(bench.root, 'secret'), join(bench.root, 'a/optimizer.pt'));
    symlinkSync('/etc', join(bench.root, 'a/tokenizer'));
    execFileSync('mkfifo', [join(bench.root, 'a/scheduler.pt')]);
    const report = await importAs('a');
    expect(report.skipped).toEqual(
      expect.arrayContaining([
        { from: 'a/optimizer.pt', why: expect.stringContaining('is a symbolic link') },
        { from: 'a/tokenizer', why: expect.stringContaining('is a symbolic link') },
        { from: 'a/scheduler.pt', why: expect.stringContaining('is a pipe') },
      ]),
    );
    expect(readdirSync(join(stored(runOf(report)), 'checkpoint-1')).sort()).toEqual([
      'manifest.json',
      'model',
      'training_state.json',
    ]);
  });

  it.each([
    ['100 MB', (file: string) => truncateSync(file, 100_000_000), 'the limit for JSON'],
    ['100,000 levels', (file: string) => writeFileSync(file, '['.repeat(100_000)), 'nested more than'],
    ['no end', (file: string) => writeFileSync(file, '{"global_step": 1'), 'is not JSON'],
    ['a step that is none', (file: string) => writeFileSync(file, '{"global_step": -1}'), 'not a count'],
    ['a step that is a text', (file: string) => writeFileSync(file, '{"global_step": "1"}'), 'not a number'],
  ])('with a state of %s is refused, and a log of it left out', async (_, spoil, message) => {
    checkpoint('a', 1);
    write('a/training_log.json', {});
    spoil(join(bench.root, 'a/training_state.json'));
    expect((await refusalOf(importAs('a'))).message).toContain(message);
    expect(wiring.service.list({ limit: 10 }).runs).toEqual([]);
  });

  it('with damaged logs is imported without them, and each is named', async () => {
    checkpoint('a', 1);
    write('a/training_log.json', '{');
    write('a/eval_logs/eval_step_0001.json', { accuracy: 'high' });
    const { skipped } = await dryRun('a');
    expect(skipped).toEqual([
      { from: 'a/training_log.json', why: expect.stringContaining('is not JSON') },
      { from: 'a/eval_logs/eval_step_0001.json', why: expect.stringContaining('no number') },
    ]);
  });

  it.each([
    ['announces a header of 1 GB', header(10n ** 9n), 'declares a header of 1000000000 bytes; safetensors allows'],
    ['announces a header longer than itself', header(100n), 'declares a header of 100 bytes but has 8 in all'],
    ['is too short for a header', Buffer.from('{}'), 'is 2 bytes long'],
  ])('with weights whose file %s is refused by its name, and the sound ones are taken', async (_, bytes, message) => {
    checkpoint('out/checkpoint-2', 2);
    writeFileSync(join(bench.root, 'out/checkpoint-2/model/adapter_model.safetensors'), bytes);
    const problem = await refusalOf(dryRun('out'));
    expect(problem).toMatchObject({ type: 'checkpoint-unusable', message: expect.stringContaining(message) });
    expect(problem.message).toContain('checkpoint-2/model/adapter_model.safetensors');
    checkpoint('out/checkpoint-1', 1);
    const report = await importAs('out');
    expect(report.imported.map(({ name }) => name)).toEqual(['checkpoint-1']);
    expect(report.skipped).toEqual([{ from: 'out/checkpoint-2', why: expect.stringContaining(message) }]);
  });

  it('with an archive that leads out of itself is not unpacked, and an archive is no folder', async () => {
    checkpoint('out/checkpoint-1', 1);
    writeFileSync(join(bench.root, 'escaped'), 'x');
    for (const at of ['out/checkpoint-1/weights.tar', 'alone.tar']) {
      execFileSync('tar', ['-P', '-cf', join(bench.root, at), '../escaped'], { cwd: join(bench.root, 'out') });
    }
    expect((await refusalOf(importAs('alone.tar'))).issues).toEqual([
      { path: 'path', message: expect.stringContaining('not a directory') },
    ]);
    const report = await importAs('out');
    expect(report.skipped).toEqual([{ from: 'out/checkpoint-1/weights.tar', why: 'is no part of a checkpoint' }]);
    expect(readdirSync(stored(runOf(report)), { recursive: true }).join()).not.toMatch(/tar|escaped/);
  });

  it('cannot speak for where the run sends data', async () => {
    checkpoint('a', 1);
    const config = {
      monitoring: { enable_wandb: true },
      inference: { vllm: { api_base: 'http://evil/v1' } },
      output_dir: '/etc',
      training: { start_fresh: true },
    };
    write('a/training_metadata.json', { step: 1, accuracy: null, metrics: {}, config });
    const run = wiring.service.get(runOf(await importAs('a')));
    expect(run.spec.monitoring.enable_wandb).toBe(false);
    expect(run.spec.inference.vllm.api_base).toBe('http://localhost:8000/v1');
    expect(run.spec.training).toMatchObject({ output_dir: null, start_fresh: false });
  });

  it('whose files differ from their manifest is left out, and the sound ones are taken', async () => {
    for (const step of [1, 2]) {
      checkpoint(`out/checkpoint-${step}`, step);
      const files = ['model/adapter_model.safetensors', 'model/adapter_config.json', 'training_state.json'].map(
        (path) => {
          const bytes = readFileSync(join(bench.root, `out/checkpoint-${step}`, path));
          return { path, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
        },
      );
      const fields = {
        run: 'run-00000000',
        attempt: 3,
        name: `checkpoint-${step}`,
        created_at: '2026-11-20T09:00:00.000Z',
        step,
        purposes: ['step', 'best'],
      };
      const more = {
        policy_version: 7,
        record: 99,
        epoch: 0,
        best_metric: null,
        metrics: { loss: 1 },
        inputs: {},
        files,
      };
      write(`out/checkpoint-${step}/manifest.json`, { schema: 'tandem.checkpoint/1', ...fields, ...more });
    }
    write('out/checkpoint-2/model/adapter_model.safetensors', weights('Weights of out/checkpoint-2'));
    const report = await importAs('out');
    expect(report.imported.map(({ name }) => name)).toEqual(['checkpoint-1']);
    expect(report.skipped).toEqual([
      { from: 'out/checkpoint-2', why: expect.stringContaining('its sha256 is not the one in manifest.json') },
    ]);
    expect(manifestOf(runOf(report), 1)).toMatchObject({
      step: 1,
      attempt: 1,
      policy_version: 7,
      metrics: { loss: 1 },
    });
  });
});

describe('an import that is cut off', () => {
  const pieces = (): string[] =>
    ['.tandem/objects/runs', '.tandem/records', '.tandem/imports', 'outputs'].flatMap((directory) =>
      existsSync(join(bench.root, directory)) ? readdirSync(join(bench.root, directory)) : [],
    );

  it('by an error leaves nothing', async () => {
    checkpoint('a', 1);
    write('a/training_log.json', { train_history: [{ step: 1, loss: 1 }] });
    const failing = wiring.imports.run({ path: 'a', spec }, () => {
      throw new Error('the disk is full');
    });
    await expect(failing).rejects.toThrow('the disk is full');
    expect(pieces()).toEqual([]);
    expect(wiring.service.list({ limit: 10 }).runs).toEqual([]);
    expect((await importAs('a')).imported).toHaveLength(1);
  });

  it('by the end of the process leaves nothing after the next start', async () => {
    const id = 'run-0000000z';
    mkdirSync(join(bench.root, 'outputs', id), { recursive: true });
    write(`outputs/${id}/.tandem-run.json`, { run: id, installation: 'bench' });
    write(`.tandem/objects/runs/${id}/checkpoints/a1/checkpoint-1/model/model.pt`, 'half');
    write(`.tandem/objects/runs/${id}/checkpoints/a1/checkpoint-0/manifest.json`, '{}');
    write(`.tandem/records/${id}/a1.jsonl`, '');
    write(`.tandem/imports/${id}.json`, { run: id, tree: join(bench.root, 'outputs', id) });
    await wiring.recover();
    expect(pieces()).toEqual([]);
  });

  it('leaves no unfinished upload behind, at once or after the next start, also in a store that lists them by their whole key only', async () => {
    const memory = await openMemoryStore();
    const { transfers } = memory.store;
    let noted = '';
    const store: ObjectStore = {
      ...memory.store,
      transfers: {
        ...transfers,
        async *unfinished(asked) {
          for await (const found of transfers.unfinished(asked)) if (found.key === asked) yield found;
        },
      },
      async put(key) {
        memory.uploads.set('left', { key, since: 0, parts: new Map() });
        const [file = ''] = readdirSync(join(bench.root, '.tandem/imports'));
        noted = bench.read(`.tandem/imports/${file}`);
        throw new Error('the line is cut');
      },
    };
    wiring = await bench.open({ store });
    checkpoint('a', 1);
    await expect(importAs('a')).rejects.toThrow('the line is cut');
    expect(memory.uploads.size).toBe(0);

    const { run, sending } = JSON.parse(noted) as { run: string; sending: string };
    memory.uploads.set('left', { key: sending, since: 0, parts: new Map() });
    memory.uploads.set('of another run', { key: 'runs/other/x', since: 0, parts: new Map() });
    write(`.tandem/imports/${run}.json`, noted);
    await wiring.recover();
    expect([...memory.uploads.keys()]).toEqual(['of another run']);
    expect(pieces()).toEqual([]);
    await memory.close();
  });

  it('after it has made the run keeps it', async () => {
    checkpoint('a', 1);
    const id = runOf(await importAs('a'));
    write(`.tandem/imports/${id}.json`, { run: id, tree: join(bench.root, 'outputs', id) });
    await wiring.recover();
    expect(wiring.archive.checkpoints.list(id)).toHaveLength(1);
    expect(readdirSync(join(bench.root, '.tandem/imports'))).toEqual([]);
  });
});
