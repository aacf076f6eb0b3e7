import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { manifestSchema } from '../../contracts/checkpoint.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { foreignCandidate } from './candidates.ts';
import {
  type CheckpointFixture,
  commitOf,
  contentOf,
  GRACE_MS,
  newest,
  openCheckpoints,
  RUN,
} from './checkpoint.fixtures.ts';

let fixture: CheckpointFixture;
beforeEach(() => {
  fixture = openCheckpoints();
});
afterEach(() => fixture.close());

const by = { run: RUN, attempt: 1 };
const directory = (attempt: number, step: number) =>
  join(fixture.home, 'objects/runs', RUN, `checkpoints/a${attempt}/checkpoint-${step}`);
const eventNames = () => fixture.events.map(({ name, message }) => `${name}: ${message}`);

describe('commit', () => {
  it('writes a manifest beside files that are all there, and tells it as an event', async () => {
    const reply = await fixture.checkpoints.requestUpload(by, { step: 10, files: commitOf(10).files });
    expect(reply).toEqual({ directory: directory(1, 10), parts: null });
    await fixture.upload(10);
    const manifest = await fixture.checkpoints.commit(by, commitOf(10, ['step', 'best']));
    expect(manifest).toMatchObject({
      run: RUN,
      attempt: 1,
      name: 'checkpoint-10',
      step: 10,
      purposes: ['step', 'best'],
    });
    expect(manifestSchema.parse(JSON.parse(readFileSync(join(directory(1, 10), 'manifest.json'), 'utf8')))).toEqual(
      manifest,
    );
    expect(fixture.events).toMatchObject([
      { name: 'checkpoint_committed', attempt: 1, message: 'Checkpoint saved: checkpoint-10' },
    ]);
  });

  it.each([
    ['is missing', () => rmSync(join(directory(1, 10), 'optimizer.pt')), /optimizer\.pt was not uploaded/],
    [
      'has another size',
      () => writeFileSync(join(directory(1, 10), 'optimizer.pt'), 'x'),
      /optimizer\.pt has 1 bytes where \d+ were announced/,
    ],
    [
      'is a symbolic link',
      () => {
        rmSync(join(directory(1, 10), 'optimizer.pt'));
        symlinkSync('/etc/hostname', join(directory(1, 10), 'optimizer.pt'));
      },
      /symbolic link/,
    ],
  ])('refuses a checkpoint of which a file %s, and takes it once that is mended', async (_what, damage, message) => {
    await fixture.upload(10);
    damage();
    await expect(fixture.checkpoints.commit(by, commitOf(10))).rejects.toThrow(message);
    await expect(fixture.checkpoints.commit(by, commitOf(10))).rejects.toMatchObject({ type: 'checkpoint-unusable' });
    expect(fixture.checkpoints.list(RUN)).toEqual([]);
    rmSync(directory(1, 10), { recursive: true });
    await fixture.save(10);
    expect(fixture.checkpoints.resolve(RUN, 'latest')?.step).toBe(10);
  });

  it('refuses files that cannot be told apart or that pose as the manifest', async () => {
    await fixture.upload(10);
    const { files } = commitOf(10);
    const twice = commitOf(10, ['step'], { files: [...files, ...files.slice(0, 1)] });
    await expect(fixture.checkpoints.commit(by, twice)).rejects.toThrow(/listed twice/);
    const posing = commitOf(10, ['step'], { files: [{ ...files[0]!, path: 'manifest.json' }] });
    await expect(fixture.checkpoints.commit(by, posing)).rejects.toThrow(/written by the control plane/);
  });

  it('answers the same to the same commit, however often and at once, and tells it once', async () => {
    await fixture.upload(10);
    const replies = await Promise.all(Array.from({ length: 5 }, () => fixture.checkpoints.commit(by, commitOf(10))));
    for (const reply of replies) expect(reply).toEqual(replies[0]);
    expect(eventNames()).toEqual(['checkpoint_committed: Checkpoint saved: checkpoint-10']);
  });

  it('refuses another commit for the same step and keeps the first', async () => {
    await fixture.save(10);
    const other = fixture.checkpoints.commit(by, commitOf(10, ['step', 'best']));
    await expect(other).rejects.toMatchObject({ type: 'conflict' });
    expect(fixture.checkpoints.list(RUN)[0]?.purposes).toEqual(['step']);
    await expect(fixture.checkpoints.requestUpload(by, { step: 10, files: [] })).rejects.toMatchObject({
      type: 'conflict',
    });
  });

  it('lets only the open attempt save', async () => {
    await fixture.upload(10);
    fixture.attempts.start(RUN);
    await expect(fixture.checkpoints.commit(by, commitOf(10))).rejects.toMatchObject({ type: 'attempt-closed' });
    await expect(fixture.checkpoints.requestUpload(by, { step: 20, files: [] })).rejects.toMatchObject({
      type: 'attempt-closed',
    });
    expect(existsSync(join(directory(1, 10), 'manifest.json'))).toBe(false);
  });

  it('writes no manifest for an attempt that is closed while its files are checked', async () => {
    await fixture.upload(10);
    const closing: ObjectStore = {
      ...fixture.store,
      head: async (key) => {
        if (key.endsWith('optimizer.pt')) fixture.attempts.close(RUN);
        return fixture.store.head(key);
      },
    };
    await expect(fixture.over(closing).commit(by, commitOf(10))).rejects.toMatchObject({ type: 'attempt-closed' });
    expect(existsSync(join(directory(1, 10), 'manifest.json'))).toBe(false);
  });
});

describe('list and resolve', () => {
  it('shows names, aliases and what a resume has left behind', async () => {
    await fixture.save(10, ['step', 'best']);
    await fixture.save(20);
    await fixture.save(30);
    fixture.attempts.start(RUN, { run: RUN, attempt: 1, step: 20 });
    await fixture.save(30, ['step', 'final']);
    const shown = fixture.checkpoints
      .list(RUN)
      .map(({ name, aliases, on_lineage }) => [name, aliases.join(), on_lineage]);
    expect(shown).toEqual([
      ['checkpoint-30', 'latest,final', true],
      ['a1/checkpoint-30', '', false],
      ['checkpoint-20', '', true],
      ['checkpoint-10', 'best', true],
    ]);
    expect(fixture.checkpoints.resolve(RUN, 'checkpoint-30')?.attempt).toBe(2);
    expect(fixture.checkpoints.resolve(RUN, 'a1/checkpoint-30')?.attempt).toBe(1);
  });

  it('reads the bytes of a file, or a part of them', async () => {
    const manifest = await fixture.save(10);
    expect(await buffer(fixture.checkpoints.read(manifest, 'optimizer.pt'))).toEqual(contentOf(10, 'optimizer.pt'));
    expect((await buffer(fixture.checkpoints.read(manifest, 'optimizer.pt', { start: 0, end: 8 }))).toString()).toBe(
      'optimizer',
    );
    expect(() => fixture.checkpoints.read(manifest, '../../../secret')).toThrow(/relative path/);
  });
});

describe('candidates', () => {
  it('offers the choice first and then older ones that it descends from', async () => {
    for (const step of [10, 20, 30]) await fixture.save(step);
    fixture.attempts.start(RUN, { run: RUN, attempt: 1, step: 20 });
    for (const step of [30, 40]) await fixture.save(step);
    const labels = (from: string) =>
      fixture.checkpoints.candidates(RUN, from).map(({ label }) => label.slice(RUN.length + 1));
    expect(labels('latest')).toEqual(['a2/checkpoint-40', 'a2/checkpoint-30', 'a1/checkpoint-20', 'a1/checkpoint-10']);
    expect(labels('checkpoint-20')).toEqual(['a1/checkpoint-20', 'a1/checkpoint-10']);
    expect(labels('a1/checkpoint-30')).toEqual(['a1/checkpoint-30', 'a1/checkpoint-20', 'a1/checkpoint-10']);
    expect(fixture.checkpoints.candidates(RUN, 'latest')[0]).toMatchObject({
      directory: directory(2, 40),
      urls: null,
      manifest: { step: 40 },
    });
  });

  it('is empty for the latest of a run that has none, and refuses any other name that means none', () => {
    expect(fixture.checkpoints.candidates(RUN, 'latest')).toEqual([]);
    expect(() => fixture.checkpoints.candidates(RUN, 'best')).toThrow(/has no checkpoint best; it has none/);
  });

  it('takes a folder of another origin without a manifest', () => {
    expect(foreignCandidate('/srv/old/checkpoint-500')).toEqual({
      label: '/srv/old/checkpoint-500',
      manifest: null,
      directory: '/srv/old/checkpoint-500',
      urls: null,
    });
  });
});

describe('prune', () => {
  it('deletes what the limit does not keep, from the store too, and says so', async () => {
    for (const step of [10, 20, 30]) await fixture.save(step, step === 10 ? ['step', 'best'] : ['step']);
    await fixture.save(40);
    await fixture.checkpoints.prune(RUN, newest(1));
    expect(fixture.checkpoints.list(RUN).map(({ name }) => name)).toEqual(['checkpoint-40', 'checkpoint-10']);
    expect(readdirSync(join(fixture.home, 'objects/runs', RUN, 'checkpoints/a1')).sort()).toEqual([
      'checkpoint-10',
      'checkpoint-40',
    ]);
    expect(eventNames().slice(-2)).toEqual([
      'checkpoint_deleted: Checkpoint deleted: a1/checkpoint-20 (not among the newest 1 (save_total_limit), and no other rule keeps it)',
      'checkpoint_deleted: Checkpoint deleted: a1/checkpoint-30 (not among the newest 1 (save_total_limit), and no other rule keeps it)',
    ]);
  });

  it('keeps what others start from', async () => {
    for (const step of [10, 20, 30]) await fixture.save(step);
    await fixture.checkpoints.prune(RUN, { ...newest(1), protect: [{ run: RUN, attempt: 1, step: 10 }] });
    expect(fixture.checkpoints.list(RUN).map(({ step }) => step)).toEqual([30, 10]);
  });

  it('removes unfinished uploads of attempts that ended a while ago, temporary files too, and leaves the newest of the open one', async () => {
    await fixture.upload(10);
    mkdirSync(directory(1, 15), { recursive: true });
    writeFileSync(join(directory(1, 15), '.tmp-optimizer.pt-ab12'), 'half');
    fixture.attempts.start(RUN);
    await fixture.upload(20);
    await fixture.checkpoints.prune(RUN, newest(5));
    expect(existsSync(directory(1, 15))).toBe(true);
    fixture.pass(GRACE_MS);
    await fixture.checkpoints.prune(RUN, newest(5));
    expect(existsSync(directory(1, 10))).toBe(false);
    expect(existsSync(directory(1, 15))).toBe(false);
    expect(existsSync(directory(2, 20))).toBe(true);
    fixture.attempts.close(RUN);
    fixture.pass(GRACE_MS);
    await fixture.checkpoints.prune(RUN, newest(5));
    expect(existsSync(directory(2, 20))).toBe(false);
  });
});

describe('remove', () => {
  it('leaves nothing of a run, and nothing else missing', async () => {
    await fixture.save(10);
    await fixture.upload(20);
    await fixture.store.put(`runs/run-bbbbbbbb/checkpoints/a1/checkpoint-1/x`, Buffer.from('x'));
    await fixture.checkpoints.remove(RUN);
    expect(fixture.checkpoints.list(RUN)).toEqual([]);
    const left: string[] = [];
    for await (const { key } of fixture.store.list('')) left.push(key);
    expect(left).toEqual(['runs/run-bbbbbbbb/checkpoints/a1/checkpoint-1/x']);
  });
});
