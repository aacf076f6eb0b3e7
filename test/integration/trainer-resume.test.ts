import { readFileSync } from 'node:fs';
import { appendFile, cp, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ResumeCandidate } from '../../services/contracts/agent-operations.ts';
import type { Manifest } from '../../services/contracts/checkpoint.ts';
import { type StoreServer, startStoreServer } from '../../services/platform/testing/store-server.ts';
import { type TestTask, testAttempt, testSpec, writeTestTask } from '../../services/trainer/test-support/attempt.ts';
import { event, finalBytes, type Life, live, messages } from '../../services/trainer/test-support/lives.ts';

let root: string;
let task: TestTask;
/** An uninterrupted run. */
let whole: Life;
const training = { batch_size: 8, max_steps: 6, learning_rate: 1e-3, eval_steps: 3, save_steps: 2, logging_steps: 2 };
const files = ['model/adapter_model.safetensors', 'optimizer.pt'];

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-resume-'));
  task = await writeTestTask(path.join(root, 'task'), { train: 40, validation: 8, limit: 9 });
  whole = await run([]);
});
afterAll(() => rm(root, { recursive: true, force: true, maxRetries: 5 }));

async function run(
  resume: readonly ResumeCandidate[],
  written: Record<string, Record<string, unknown>> = {},
): Promise<Life> {
  const directory = await mkdtemp(path.join(root, 'run-'));
  const model = { use_lora: true, lora: { r: 4 } };
  const spec = testSpec(task, { method: 'sft', model, ...written, training: { ...training, ...written['training'] } });
  const attempt = resume.length === 0 ? 1 : 2;
  return live(testAttempt({ spec, task, directory, attempt, resume }), directory);
}

function at(step: number): ResumeCandidate[] {
  return whole.candidates.filter(({ manifest }) => manifest?.step === step);
}

/** The checkpoint at step 4 as if one of its inputs had been another. */
function withInput(name: string, change: { run?: string }): ResumeCandidate {
  const [candidate] = at(4);
  const manifest = { ...candidate!.manifest!, ...change };
  return { ...candidate!, manifest: { ...manifest, inputs: { ...manifest.inputs, [name]: '0'.repeat(64) } } };
}

/** A checkpoint of its own at a step, to be damaged. */
async function checkpointAt(step: number): Promise<ResumeCandidate & { directory: string }> {
  const life = await run([], { training: { max_steps: step, eval_steps: 0 } });
  return life.candidates.find(({ manifest }) => manifest?.step === step) as ResumeCandidate & { directory: string };
}

test('a resume tells what it restored, and ends with the same bytes', async () => {
  const life = await run(at(4));
  expect(messages(life)).toEqual(
    expect.arrayContaining([
      '✓ Optimizer state loaded',
      '✓ Scheduler state loaded',
      '✓ Training state loaded:',
      '  Global step: 4',
      'Resumed from step 4, epoch 0',
    ]),
  );
  expect(event(life, 'resumed')).toMatchObject({ data: { step: 4 } });
  expect(await finalBytes(life, files)).toEqual(await finalBytes(whole, files));
});

test('a damaged checkpoint is passed over for the one before it, and the reason is told', async () => {
  const damaged = await checkpointAt(4);
  await appendFile(path.join(damaged.directory, 'optimizer.pt'), 'x');
  const life = await run([damaged, ...at(2)]);
  expect(event(life, 'checkpoint_rejected')).toMatchObject({
    message: expect.stringMatching(/checkpoint-4 cannot be used: .*optimizer\.pt has \d+ bytes, the manifest says \d+/),
  });
  expect(event(life, 'resumed')).toMatchObject({ data: { step: 2 } });
  expect(await finalBytes(life, files)).toEqual(await finalBytes(whole, files));
});

test.each([
  ['max_steps', { max_steps: 3 }],
  ['num_epochs', { max_steps: null, num_epochs: 0.4 }],
])('a checkpoint that is past the end of the training by %s is refused, not called a success', async (_key, change) => {
  const life = await run(at(4), { training: change });
  expect(event(life, 'failed')).toMatchObject({
    reason: 'invalid_spec',
    message: expect.stringMatching(/training\.max_steps: [23] steps are asked for, and the checkpoint has done 4/),
  });
  expect(life.manifests).toEqual([]);
});

test('with nothing but damaged checkpoints the run fails', async () => {
  const damaged = await checkpointAt(4);
  await rm(path.join(damaged.directory, 'model', 'adapter_model.safetensors'));
  const life = await run([damaged]);
  expect(life.exitCode).toBe(67);
  expect(event(life, 'failed')).toMatchObject({
    reason: 'invalid_checkpoint',
    remedy: expect.stringContaining('another'),
  });
});

test('a checkpoint of full weights, of another model or of another rank is not loaded into an adapter', async () => {
  const other = (model: Record<string, unknown>) => run(at(4), { model });
  const [full, rank] = [await other({ use_lora: false }), await other({ use_lora: true, lora: { r: 2 } })];
  expect(event(full, 'failed')).toMatchObject({ message: expect.stringContaining('holds a LoRA adapter') });
  expect(event(rank, 'failed')).toMatchObject({ message: expect.stringContaining('this run trains [2,') });
  const scaled = await other({ use_lora: true, lora: { r: 4, alpha: 2 } });
  expect(event(scaled, 'failed')).toMatchObject({
    message: expect.stringMatching(/multiplied by [\d.]+, and this run by 0\.5; set model\.lora\.alpha/),
  });
  const [candidate] = at(4);
  const manifest = { ...candidate!.manifest!, inputs: { ...candidate!.manifest!.inputs, model: '0'.repeat(64) } };
  const foreign = await run([{ ...candidate!, manifest }]);
  expect(event(foreign, 'failed')).toMatchObject({ message: expect.stringContaining('another base model') });
});

test('a folder that never had a manifest, without optimizer and state, starts at step 0 with what it has', async () => {
  const bare = await checkpointAt(2);
  for (const name of ['optimizer.pt', 'scheduler.pt', 'rng_state.json', 'training_state.json', 'model_version.txt']) {
    await rm(path.join(bare.directory, name));
  }
  const life = await run([{ ...bare, manifest: null }]);
  expect(life.exitCode).toBe(0);
  expect(messages(life)).toEqual(
    expect.arrayContaining([
      '⚠ Optimizer state not found, starting with fresh optimizer',
      '⚠ Training state not found, starting from step 0',
      'Resumed from step 0, epoch 0',
      `⚠ No hashes recorded in ${bare.directory}: its files were not verified`,
    ]),
  );
});

describe('a folder that somebody named, with the manifest that Tandem saved in it', () => {
  const path4 = (directory: string) => path.join(directory, 'checkpoint-4');
  /** A copy of the checkpoint at step 4 below a new directory, as it would be named. */
  async function folder(change: Partial<Manifest> = {}): Promise<ResumeCandidate & { directory: string }> {
    const [source] = at(4);
    const directory = await mkdtemp(path.join(root, 'folder-'));
    await cp(source!.directory!, path4(directory), { recursive: true });
    await writeFile(path.join(path4(directory), 'manifest.json'), JSON.stringify({ ...source!.manifest, ...change }));
    return { label: directory, manifest: null, directory: path4(directory), urls: null };
  }
  const unverified = expect.stringContaining('its files were not verified');

  test('is verified, also when the folder around it was named, and goes on with the same bytes', async () => {
    const named = await folder();
    for (const directory of [named.directory, path.dirname(named.directory)]) {
      const life = await run([{ ...named, directory }]);
      expect(event(life, 'resumed')).toMatchObject({ data: { step: 4 } });
      expect(messages(life)).not.toContainEqual(unverified);
      expect(await finalBytes(life, files)).toEqual(await finalBytes(whole, files));
    }
  });

  test.each<[string, (at: string) => Promise<void>, RegExp]>([
    ['is changed in one byte', flipLastByte, /optimizer\.pt has sha256 \w+, the manifest says \w+/],
    ['is cut off', (at) => truncate(at, 100), /optimizer\.pt has 100 bytes, the manifest says \d+/],
    ['is missing', (at) => rm(at), /optimizer\.pt is missing; the manifest lists it/],
  ])('is refused by name and reason when a file of it %s', async (_what, damage, reason) => {
    const named = await folder();
    await damage(path.join(named.directory, 'optimizer.pt'));
    const life = await run([named]);
    expect(event(life, 'checkpoint_rejected')).toMatchObject({ message: expect.stringMatching(reason) });
    expect(event(life, 'failed')).toMatchObject({
      reason: 'invalid_checkpoint',
      message: expect.stringMatching(reason),
      remedy: expect.stringContaining('Resume from another checkpoint'),
    });
  });

  test('is refused when the manifest itself is damaged, and is not taken for one when another program wrote it', async () => {
    const named = await folder({ step: -1 });
    expect(event(await run([named]), 'failed')).toMatchObject({
      message: expect.stringMatching(/manifest\.json has a wrong value at step/),
    });
    const manifest = path.join(named.directory, 'manifest.json');
    await writeFile(manifest, '{"schema": "tand');
    expect(event(await run([named]), 'failed')).toMatchObject({
      message: expect.stringContaining('manifest.json is not JSON'),
    });
    await writeFile(manifest, '{"name": "a web app"}');
    const life = await run([named]);
    expect(event(life, 'resumed')).toMatchObject({ data: { step: 4 } });
    expect(messages(life)).toContainEqual(unverified);
  });

  test('may have been trained from other inputs, as a fork may, and says so; an adapter needs its base model', async () => {
    const { inputs } = at(4)[0]!.manifest!;
    const named = await folder({ inputs: { ...inputs, tokenizer: '0'.repeat(64), train_data: '0'.repeat(64) } });
    const life = await run([named]);
    expect(life.exitCode).toBe(0);
    expect(messages(life)).toEqual(
      expect.arrayContaining([
        expect.stringContaining("The tokenizer is another than the checkpoint's (sha256 000000000000…"),
        'The training data has changed since the checkpoint: it starts at its beginning',
      ]),
    );
    expect(life.manifests.at(-1)?.epoch).toBeCloseTo(16 / 40);
    const other = await run([await folder({ inputs: { ...inputs, model: '0'.repeat(64) } })]);
    expect(event(other, 'failed')).toMatchObject({ message: expect.stringContaining('another base model') });
  });
});

async function flipLastByte(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  await writeFile(file, bytes);
}

test('the data starts at its beginning when the spec says so, or in a fork when it is other data', async () => {
  const skipped = await run(at(4), { checkpoint: { ignore_data_skip: true } });
  expect(skipped.manifests.at(-1)?.epoch).toBeCloseTo(16 / 40);
  const changed = await run([withInput('train_data', { run: 'run-bbbbbbbb' })]);
  expect(changed.manifests.at(-1)?.epoch).toBeCloseTo(16 / 40);
  expect(messages(changed)).toContainEqual(expect.stringContaining('The training data has changed'));
});

test.each([
  ['model', 'base model'],
  ['tokenizer', 'tokenizer'],
  ['train_data', 'training data'],
])('the run refuses to go on with another %s than it was trained from, and an older checkpoint is no way out', async (name, words) => {
  const life = await run([withInput(name, {}), ...at(2)]);
  expect(event(life, 'failed')).toMatchObject({
    reason: 'invalid_checkpoint',
    message: expect.stringMatching(
      new RegExp(`checkpoint-4 was trained from another ${words} \\(sha256 000000000000…, this run has`),
    ),
    remedy: expect.stringMatching(/Resume with the model|fork the run/),
  });
  expect(life.manifests).toEqual([]);
});

test('a fork goes on with another tokenizer, and says so', async () => {
  const life = await run([withInput('tokenizer', { run: 'run-bbbbbbbb' })]);
  expect(life.exitCode).toBe(0);
  expect(messages(life)).toContainEqual(expect.stringContaining("The tokenizer is another than the checkpoint's"));
});

test('a finished run under other limits goes on from its end', async () => {
  const life = await run(whole.candidates, { training: { max_steps: 7 } });
  expect(life.manifests.map(({ step, purposes }) => [step, purposes])).toEqual([[7, ['best', 'final']]]);
});

describe('a checkpoint that is offered by URLs', () => {
  let store: StoreServer;
  beforeEach(async () => {
    store = await startStoreServer();
  });
  afterEach(() => store.close());

  function offered(candidate: ResumeCandidate): ResumeCandidate {
    const urls = candidate.manifest!.files.map((file) => {
      const key = `${candidate.manifest!.name}/${file.path}`;
      store.objects.set(key, readFileSync(path.join(candidate.directory!, file.path)));
      return [file.path, store.link(key)];
    });
    return { ...candidate, directory: null, urls: Object.fromEntries(urls) };
  }

  test('is fetched, also when the line breaks, and the run ends with the same bytes', async () => {
    let requests = 0;
    store.interfere = () => (requests++ < 3 ? { breakAfter: 100 } : undefined);
    const life = await run(at(4).map(offered));
    expect(event(life, 'resumed')).toMatchObject({ data: { step: 4 } });
    expect(await finalBytes(life, files)).toEqual(await finalBytes(whole, files));
  });

  test.each<[string, (key: string) => void, string]>([
    ['has other bytes', (key) => (store.objects.get(key)![7]! ^= 1), 'sha256'],
    [
      'is too long',
      (key) => store.objects.set(key, Buffer.concat([store.objects.get(key)!, Buffer.from('x')])),
      'bytes',
    ],
    ['is missing', (key) => store.objects.delete(key), '404'],
  ])('is passed over when one of its files %s, with the reason and no key', async (_what, damage, reason) => {
    const resume = [...at(4), ...at(2)].map(offered);
    damage('checkpoint-4/optimizer.pt');
    const life = await run(resume);
    const told = event(life, 'checkpoint_rejected');
    expect(told).toMatchObject({
      message: expect.stringMatching(`checkpoint-4 cannot be used: .*optimizer.pt.*${reason}`),
    });
    expect(JSON.stringify(life.records)).not.toContain('secret');
    expect(event(life, 'resumed')).toMatchObject({ data: { step: 2 } });
  });
});
