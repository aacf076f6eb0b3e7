import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { manifestOf } from '../checkpoints/checkpoint.fixtures.ts';
import { lockHome } from '../home/home-lock.ts';
import { quietLog } from '../records/record.fixtures.ts';
import { createTestBench, reconcileUntil, type TestBench, trainerPrelude } from '../testing.ts';
import { rebuildHome } from './rebuild-home.ts';

let bench: TestBench;
let home: string;
beforeEach(async () => {
  bench = await createTestBench();
  home = join(bench.root, '.tandem');
});
afterEach(() => bench.remove());

const now = () => Date.parse('2026-11-21T09:00:00Z');
const connect = async () => {
  throw new Error('no S3 store is set');
};
const rebuild = (replace = false) => rebuildHome({ home, s3: null, connect, replace, now, log: quietLog });
const loseDatabase = () => {
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(home, `tandem.db${suffix}`), { force: true });
};

/** One run that succeeded and one that waits in the queue; the control plane has ended. */
async function trainOne(monitoring: object = {}) {
  bench.script('trainer', `${trainerPrelude} record "$finished"`);
  const wiring = await bench.open();
  const done = (await wiring.service.submit(bench.spec({ name: 'done', monitoring }), () => undefined)).body.id;
  await reconcileUntil(
    wiring,
    () => wiring.db.get('SELECT 1 FROM runs WHERE files_due = 0 AND ended_at > 0') !== undefined,
  );
  const waiting = (await wiring.service.submit(bench.spec({ labels: { a: 'b' }, monitoring }), () => undefined)).body
    .id;
  const seen = [wiring.service.get(done), wiring.service.list({ limit: 10 })];
  await wiring.close();
  return { done, waiting, seen };
}

test('a rebuilt database shows ended runs as they ended, and waiting ones still wait', async () => {
  const { done, seen } = await trainOne();
  loseDatabase();
  expect(await rebuild()).toMatchObject({ runs: 2, attempts: 1, records: 1, ended: [], aside: null, problems: [] });
  const wiring = await bench.open();
  expect([wiring.service.get(done), wiring.service.list({ limit: 10 })]).toEqual(seen);
  expect(wiring.service.list({ limit: 10, label: 'a=b' }).runs).toHaveLength(1);
});

test('checkpoints are pinned again that were pinned, and no others', async () => {
  const { done } = await trainOne();
  for (const step of [10, 20]) {
    const directory = join(home, `objects/runs/${done}/checkpoints/a1/checkpoint-${step}`);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'manifest.json'), JSON.stringify(manifestOf(done, 1, step)));
    if (step === 10) writeFileSync(join(directory, 'pinned.json'), '{}');
  }
  loseDatabase();
  expect(await rebuild()).toMatchObject({ checkpoints: 2, problems: [] });
  const { archive } = await bench.open();
  expect(archive.checkpoints.list(done).map(({ step, pinned }) => [step, pinned])).toEqual([
    [20, false],
    [10, true],
  ]);
});

test('servers that show an ended run are owed it again; a run that never started is owed to none', async () => {
  const { done } = await trainOne({ enable_mlflow: true });
  loseDatabase();
  expect(await rebuild()).toMatchObject({ runs: 2, problems: [] });
  const { db } = await bench.open();
  expect(db.all('SELECT run FROM trackers_owed')).toEqual([{ run: done }]);
});

test('what the newest events say is believed where run.json was not written any more', async () => {
  const { waiting } = await trainOne();
  loseDatabase();
  const events = join(home, 'records', waiting, 'events.jsonl');
  const [first] = readFileSync(events, 'utf8').split('\n');
  const cancelled = {
    ...(JSON.parse(first as string) as object),
    ...{
      id: 2,
      status: 'cancelled',
      reason: 'cancelled',
      message: 'queued -> cancelled: Cancelled before it was started.',
    },
  };
  writeFileSync(events, `${first}\n${JSON.stringify(cancelled)}\n{"id":3,"half`);
  await rebuild();
  const wiring = await bench.open();
  expect(wiring.service.get(waiting)).toMatchObject({
    status: 'cancelled',
    message: 'Cancelled before it was started.',
  });
});

test('an attempt that only its files know keeps its number, and its run is ended to be resumed', async () => {
  const { done } = await trainOne();
  loseDatabase();
  const path = join(home, 'objects/runs', done, 'run.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"status": "succeeded"', '"status": "running"'));
  rmSync(join(home, 'records', done, 'events.jsonl'));
  mkdirSync(join(home, 'work', done, 'a4/trainer'), { recursive: true });
  expect(await rebuild()).toMatchObject({ runs: 2, attempts: 2, ended: [done] });
  const wiring = await bench.open();
  const run = wiring.service.get(done);
  expect(run).toMatchObject({ status: 'failed', reason: 'control_plane_error' });
  expect(run.message).toContain(`resume it (POST /runs/${done}/resume)`);
  expect(run.attempts.map(({ number }) => number)).toEqual([1, 4]);
});

test('a damaged run.json and records of nobody are named, and cost no other run', async () => {
  const { done, waiting } = await trainOne();
  loseDatabase();
  writeFileSync(join(home, 'objects/runs', done, 'run.json'), '{"schema":"tandem.run/1"');
  const { runs, problems } = await rebuild();
  expect(runs).toBe(1);
  expect(problems).toEqual([
    expect.stringContaining(`runs/${done}/run.json cannot be understood`),
    expect.stringContaining(`records/${done} belongs to no run`),
  ]);
  expect((await bench.open()).service.get(waiting).status).toBe('queued');
});

test('two runs that name one tree get the trees that their markers say', async () => {
  const wiring = await bench.open();
  const spec = bench.spec({ training: { output_dir: 'outputs/mine' } });
  bench.script('trainer', `${trainerPrelude} record "$finished"`);
  const old = (await wiring.service.submit(spec, () => undefined)).body.id;
  await reconcileUntil(
    wiring,
    () => wiring.db.get('SELECT 1 FROM runs WHERE files_due = 0 AND ended_at > 0') !== undefined,
  );
  const path = join(home, 'objects/runs', old, 'run.json');
  const before = readFileSync(path);
  const fresh = { ...spec, training: { output_dir: 'outputs/mine', start_fresh: true } };
  const young = (await wiring.service.submit(fresh, () => undefined)).body.id;
  await wiring.close();
  // As if the control plane had been killed before it could say where the older tree is now.
  writeFileSync(path, before);
  loseDatabase();
  await rebuild();
  const { service } = await bench.open();
  expect([service.get(old).output_dir, service.get(young).output_dir]).toEqual([`outputs/mine.${old}`, 'outputs/mine']);
});

test('nothing is touched while a control plane holds the home, or while the database can be read', async () => {
  await trainOne();
  await expect(rebuild()).rejects.toThrow(/knows 2 runs: nothing needs rebuilding/);
  const lock = lockHome(home);
  await expect(rebuild(true)).rejects.toThrow(/another control plane/);
  lock.release();
  expect(readdirSync(home).filter((name) => name.includes('before'))).toEqual([]);
  expect((await rebuild(true)).aside).toMatch(/tandem\.db\.before-20261121T090000Z$/);
});
