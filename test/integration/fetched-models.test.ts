import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manifestOf } from '../../services/control-plane/checkpoints/checkpoint.fixtures.ts';
import { checkpointPrefix } from '../../services/control-plane/checkpoints/checkpoint-keys.ts';
import {
  benchConfig,
  createTestBench,
  reconcileUntil,
  type TestBench,
  trainerPrelude,
} from '../../services/control-plane/testing.ts';
import { type ModelHub, startModelHub } from '../support/model-hub.ts';

const REPO = 'acme/small';
const files = { 'config.json': benchConfig, 'tokenizer.json': '{}', 'model.safetensors': 'weights' };

let bench: TestBench;
let hub: ModelHub;
beforeEach(async () => {
  bench = await createTestBench();
  hub = await startModelHub();
  bench.script('trainer', `${trainerPrelude} record "$finished"`);
});
afterEach(async () => {
  await bench.remove();
  await hub.close();
});

type Opened = Awaited<ReturnType<TestBench['open']>>;
const open = (environment: Record<string, string> = {}) =>
  bench.open({ environment: { HF_ENDPOINT: hub.url, ...environment } });
const submit = async ({ service }: Opened, change: Record<string, unknown> = {}): Promise<string> =>
  (await service.submit(bench.spec({ model: { name: REPO }, ...change }), () => undefined)).body.id;
const until = (wiring: Opened, id: string, status: string) =>
  reconcileUntil(wiring, () => wiring.service.get(id).status === status);
const cached = (commit: string) => join(bench.root, '.tandem/models/hub', REPO, commit);
const eventsOf = (wiring: Opened, run: string) =>
  wiring.db.all<{ name: string; message: string }>('SELECT name, message FROM events WHERE run = :run ORDER BY id', {
    run,
  });
const downloads = () => hub.requests.filter(({ server }) => server === 'files');
/** Holds the weights back until it is called. */
function hold(): () => void {
  let release = () => {};
  hub.fault({
    path: /model\.safetensors/,
    until: new Promise((resolve) => {
      release = () => resolve();
    }),
  });
  return () => release();
}

describe('a run whose model is named', () => {
  it('waits in nobody`s way until the model is there, says how far that is, and then starts with it', async () => {
    const commit = hub.put(REPO, { files });
    const release = hold();
    const wiring = await open();
    const named = await submit(wiring);
    const later = await submit(wiring, { model: { name: 'model' } });
    await until(wiring, later, 'succeeded');
    await reconcileUntil(wiring, () => downloads().length > 0);
    const run = wiring.service.get(named);
    expect(run).toMatchObject({ status: 'queued', reason: 'fetching_model' });
    expect(run.waiting?.why).toMatch(`its model, acme/small at ${commit.slice(0, 7)}, is being fetched: `);
    release();
    await until(wiring, named, 'succeeded');
    expect(readdirSync(cached(commit)).sort()).toEqual(Object.keys(files).sort());
    expect(wiring.db.get('SELECT model_directory, model_due FROM runs WHERE id = :named', { named })).toEqual({
      model_directory: cached(commit),
      model_due: 0,
    });
    const told = eventsOf(wiring, named);
    expect(told.slice(0, 4).map(({ name }) => name)).toEqual([
      'status_changed',
      'model_fetching',
      'model_fetched',
      'status_changed',
    ]);
    expect(told[0]?.message).toBe(`queued: submitted; acme/small at ${commit.slice(0, 7)} is fetched first, 0.2 kB.`);
  });

  it('shares the fetch with others, which goes on for them when it is cancelled, and starts at once the next time', async () => {
    hub.put(REPO, { files });
    const release = hold();
    const wiring = await open({ TANDEM_SLOTS: '2' });
    const [one, two] = [await submit(wiring), await submit(wiring)];
    await reconcileUntil(wiring, () => downloads().length > 0);
    wiring.service.cancel(one);
    await wiring.reconciler.round();
    release();
    await until(wiring, two, 'succeeded');
    expect(wiring.service.get(one).status).toBe('cancelled');
    const again = await submit(wiring);
    await until(wiring, again, 'succeeded');
    expect(eventsOf(wiring, again)[0]?.message).toContain('is there already');
    expect(downloads()).toHaveLength(1);
  });

  it('stops the fetch when it is cancelled and nobody else waits, and goes on where that was when it is resumed, without the hub`s listing', async () => {
    const commit = hub.put(REPO, { files });
    hold();
    const wiring = await open();
    const id = await submit(wiring);
    const hasConfig = () => existsSync(join(`${cached(commit)}.partial`, 'config.json'));
    await reconcileUntil(wiring, () => downloads().length > 0 && hasConfig());
    wiring.service.cancel(id);
    await wiring.reconciler.round();
    const asked = hub.requests.length;
    await wiring.service.resume(id, { from: 'latest', overrides: {}, fork: false }, () => undefined);
    await until(wiring, id, 'succeeded');
    expect(hub.requests.slice(asked).map(({ path }) => path.split('/')[1])).toEqual(['acme', 'repos']);
  });

  it('goes on with what is there when the control plane is started anew', async () => {
    const commit = hub.put(REPO, { files });
    hold();
    const first = await open();
    const id = await submit(first);
    await reconcileUntil(
      first,
      () => existsSync(join(`${cached(commit)}.partial`, 'config.json')) && downloads().length > 0,
    );
    first.interrupt();
    await first.close();
    const second = await open();
    await until(second, id, 'succeeded');
    expect(hub.requests.filter(({ path }) => /\/resolve\/.*\/config\.json$/.test(path))).toHaveLength(2);
  });

  it('keeps the commit that its revision meant, and fetches it again when somebody has removed it', async () => {
    const commit = hub.put(REPO, { files });
    const wiring = await open();
    const id = await submit(wiring, { training: { output_dir: 'outputs/mine' } });
    await until(wiring, id, 'succeeded');
    hub.put(REPO, { files: { ...files, 'model.safetensors': 'newer' } });
    rmSync(cached(commit), { recursive: true });
    await wiring.service.resume(
      id,
      { from: 'latest', overrides: { training: { max_steps: 9 } }, fork: false },
      () => undefined,
    );
    await until(wiring, id, 'starting');
    expect(existsSync(cached(commit))).toBe(true);
    await until(wiring, id, 'succeeded');
    await expect(
      wiring.service.resume(
        id,
        { from: 'latest', overrides: { model: { revision: 'v2' } }, fork: false },
        () => undefined,
      ),
    ).rejects.toThrow('model.revision: was "main" and cannot change within a run');
  });

  it('shows that commit to people, to its trainer and in run.json, and a submission into its tree goes on with it too', async () => {
    const commit = hub.put(REPO, { files });
    const wiring = await open();
    const training = { output_dir: 'outputs/mine' };
    const id = await submit(wiring, { training });
    await until(wiring, id, 'succeeded');
    const origin = { kind: 'hub', repo: REPO, revision: 'main', commit };
    expect(wiring.service.get(id).model_origin).toEqual(origin);
    const runFile = readFileSync(join(bench.root, '.tandem/objects/runs', id, 'run.json'), 'utf8');
    expect(JSON.parse(runFile)).toMatchObject({ model_origin: origin });
    // By now that name means what no trainer here could train.
    hub.put(REPO, { files: { ...files, 'config.json': '{"model_type":"mistral"}' } });
    const asked = hub.requests.length;
    expect(await submit(wiring, { training: { ...training, max_steps: 9 } })).toBe(id);
    await until(wiring, id, 'succeeded');
    expect(wiring.service.get(id)).toMatchObject({ model_origin: origin, attempts: [{}, {}] });
    expect(hub.requests).toHaveLength(asked);
    await expect(submit(wiring, { training: { ...training, start_fresh: true } })).rejects.toThrow('"mistral"');
  });

  it.each([
    ['has become gated', () => hub.put(REPO, { files, gated: true }), 'invalid_model', 'set HF_TOKEN'],
    [
      'comes with other bytes again and again',
      () => hub.fault({ path: /model\.safetensors/, wrongBytes: true, times: 2 }),
      'model_unavailable',
      'other bytes than are stated',
    ],
  ])('fails without having held anything when its model %s', async (_what, harm, reason, why) => {
    hub.put(REPO, { files });
    const wiring = await open();
    const id = await submit(wiring);
    harm();
    await until(wiring, id, 'failed');
    expect(wiring.service.get(id)).toMatchObject({ reason, message: expect.stringContaining(why), attempts: [] });
  });

  it.each([
    [{ model_type: 'mistral' }, 'model_type "mistral" is not supported'],
    [{ quantization_config: { quant_method: 'awq' } }, 'quantization_config'],
  ])('is refused at once when the model is not supported: %j', async (change, why) => {
    const config = JSON.stringify({ ...JSON.parse(benchConfig), ...change });
    hub.put(REPO, { files: { ...files, 'config.json': config } });
    const wiring = await open();
    await expect(submit(wiring)).rejects.toMatchObject({ type: 'invalid-spec', message: expect.stringContaining(why) });
    mkdirSync(join(bench.root, 'other'));
    writeFileSync(join(bench.root, 'other/config.json'), config);
    await expect(submit(wiring, { model: { name: 'other' } })).rejects.toThrow(why);
    expect(downloads()).toEqual([]);
  });

  it('is refused at once when the model may not be had, or has no tokenizer, and accepted with the token', async () => {
    hub.put(REPO, { files, gated: true });
    const wiring = await open();
    await expect(submit(wiring)).rejects.toThrow(/model\.name: .*only for those whom its owner lets in.*set HF_TOKEN/);
    await wiring.close();
    const allowed = await open({ HF_TOKEN: hub.token });
    await until(allowed, await submit(allowed), 'succeeded');
    expect(downloads().every(({ authorization }) => authorization === null)).toBe(true);
    const { 'tokenizer.json': _, ...without } = files;
    hub.put(REPO, { files: without });
    await expect(submit(allowed)).rejects.toThrow('model.name: has no tokenizer.json');
  });
});

it('a model that no run needs makes room for the next one under the bound, and the run that waits for that says so', async () => {
  const commit = hub.put(REPO, { files });
  const other = hub.put('acme/other', { files: { ...files, 'model.safetensors': 'others' } });
  const wiring = await open({ TANDEM_MODELS_MAX_GB: '1' });
  const first = await submit(wiring);
  await until(wiring, first, 'succeeded');
  // As if it had a gigabyte.
  const listing = JSON.parse(readFileSync(`${cached(commit)}.json`, 'utf8'));
  for (const file of listing.files) if (file.path === 'model.safetensors') file.size = 1e9;
  writeFileSync(`${cached(commit)}.json`, JSON.stringify(listing));
  const second = await submit(wiring, { model: { name: 'acme/other' } });
  await until(wiring, second, 'succeeded');
  expect(existsSync(cached(commit))).toBe(false);
  expect(eventsOf(wiring, second).find(({ name }) => name === 'model_removed')?.message).toMatch(
    `Removed to make room for acme/other at ${other.slice(0, 7)}, since no run needs them: acme/small at ${commit.slice(0, 7)}`,
  );
});

it('a run on an adapter whose base was fetched fetches that base where it is gone', async () => {
  const commit = hub.put(REPO, { files });
  const wiring = await open();
  const first = await submit(wiring);
  const adapter = { path: 'model/adapter_model.safetensors', size: 2, sha256: 'a'.repeat(64) };
  const manifest = manifestOf(first, 1, 40, ['step'], { files: [adapter] });
  const directory = join(bench.root, '.tandem/objects', checkpointPrefix(manifest));
  mkdirSync(join(directory, 'model'), { recursive: true });
  writeFileSync(join(directory, adapter.path), '{}');
  writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifest));
  await wiring.recover();
  await until(wiring, first, 'succeeded');
  rmSync(cached(commit), { recursive: true });
  const second = await submit(wiring, { model: { name: `runs/${first}/a1/checkpoint-40` } });
  expect(wiring.service.get(second).reason).toBe('fetching_model');
  await until(wiring, second, 'succeeded');
  expect(existsSync(cached(commit))).toBe(true);
});

it('a run on a model of the object store fetches it the same way', async () => {
  const directory = join(bench.root, '.tandem/objects/models/mine');
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  const wiring = await open();
  const id = await submit(wiring, { model: { name: 'store:models/mine' } });
  await until(wiring, id, 'succeeded');
  expect(eventsOf(wiring, id).map(({ message }) => message)).toContain('store:models/mine is there: 3 files, 0.2 kB');
  await expect(submit(wiring, { model: { name: 'store:runs/x' } })).rejects.toThrow('is not below models/');
});
