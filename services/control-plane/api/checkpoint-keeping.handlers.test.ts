import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Checkpoint, Manifest } from '../../contracts/checkpoint.ts';
import type { RetentionReport } from '../../contracts/checkpoint-requests.ts';
import {
  type CheckpointFixture,
  commitOf,
  GRACE_MS,
  openCheckpoints,
  RUN,
} from '../checkpoints/checkpoint.fixtures.ts';
import type { RunRow } from '../runs/run-row.ts';
import { createCheckpointHandlers } from './checkpoints.handlers.ts';
import { ProblemError } from './problem-error.ts';
import { problemOf, servePublic, type TestServer } from './testing.ts';

const FORK = 'run-bbbbbbbb';
let fixture: CheckpointFixture;
let server: TestServer;
let needed: (manifest: Manifest) => void;
let inUse: { run: string; attempt: number; step: number }[];

beforeEach(async () => {
  fixture = openCheckpoints();
  needed = () => undefined;
  inUse = [];
  const spec = { training: { save_total_limit: 1 }, checkpoint: { keep_best: 1, keep_every: null } };
  const handlers = createCheckpointHandlers({
    runs: {
      get: (id) => ([RUN, FORK].includes(id) ? ({ id, spec } as RunRow) : undefined),
      startsFrom: () => inUse,
      dependants: () => [],
    },
    checkpoints: fixture.checkpoints,
    store: fixture.store,
    requireUnused: (manifest) => needed(manifest),
  });
  server = await servePublic(handlers);
  for (const step of [10, 20, 30]) await fixture.save(step);
});
afterEach(async () => {
  await server.close();
  fixture.close();
});

const call = (method: string, path: string, run = RUN) =>
  fetch(`${server.url}/runs/${run}/checkpoints${path}`, { method });
const steps = () => fixture.checkpoints.list(RUN).map(({ step }) => step);
const events = () => fixture.events.map(({ name, actor, run }) => `${run} ${name} ${actor}`).slice(3);
const pinFile = (step: number) =>
  join(fixture.home, `objects/runs/${RUN}/checkpoints/a1/checkpoint-${step}/pinned.json`);

describe('a pin', () => {
  test('is shown, told, kept beside the manifest, and lets retention delete only the others', async () => {
    const pinned = await call('POST', '/checkpoint-10/pin');
    expect([pinned.status, (await pinned.json()) as Checkpoint]).toMatchObject([200, { step: 10, pinned: true }]);
    expect(JSON.parse(readFileSync(pinFile(10), 'utf8'))).toMatchObject({
      schema: 'tandem.pin/1',
      checkpoint: `${RUN}/a1/checkpoint-10`,
    });
    await call('POST', '/prune');
    expect(steps()).toEqual([30, 10]);
    const unpinned = (await (await call('DELETE', '/checkpoint-10/pin')).json()) as Checkpoint;
    expect([unpinned.pinned, existsSync(pinFile(10))]).toEqual([false, false]);
    await call('POST', '/prune');
    expect(steps()).toEqual([30]);
    expect(events()).toEqual([
      `${RUN} checkpoint_pinned user`,
      `${RUN} checkpoint_deleted control_plane`,
      `${RUN} checkpoint_unpinned user`,
      `${RUN} checkpoint_deleted control_plane`,
    ]);
  });

  test('that is set or taken twice is told once', async () => {
    for (const method of ['POST', 'POST', 'DELETE', 'DELETE']) {
      expect((await call(method, '/latest/pin')).status).toBe(200);
    }
    expect(events()).toEqual([`${RUN} checkpoint_pinned user`, `${RUN} checkpoint_unpinned user`]);
  });

  test('survives a lost index, and goes with what it has pinned', async () => {
    await call('POST', '/checkpoint-10/pin');
    await fixture.store.put(`runs/${RUN}/checkpoints/a1/checkpoint-99/pinned.json`, Buffer.from('{}'));
    fixture.forget();
    await fixture.checkpoints.rebuild(RUN);
    expect(fixture.checkpoints.list(RUN).map(({ step, pinned }) => [step, pinned])).toEqual([
      [30, false],
      [20, false],
      [10, true],
    ]);
    await fixture.checkpoints.remove(RUN);
    expect(existsSync(pinFile(10))).toBe(false);
  });

  test('of what a fork has inherited is one of its parent', async () => {
    fixture.attempts.start(FORK, { run: RUN, attempt: 1, step: 20 });
    const shown = (await (await call('POST', '/latest/pin', FORK)).json()) as Checkpoint;
    expect(shown).toMatchObject({ name: 'checkpoint-20', pinned: true, aliases: ['latest'] });
    expect(fixture.checkpoints.show(RUN, 'checkpoint-20')?.pinned).toBe(true);
    expect(events()).toEqual([`${RUN} checkpoint_pinned user`]);
  });

  test('of nothing is not found, and no trainer can upload one', async () => {
    expect((await problemOf(await call('POST', '/checkpoint-11/pin'))).kind).toBe('not-found');
    expect((await problemOf(await call('DELETE', '/latest/pin', 'run-00000000'))).kind).toBe('not-found');
    const files = [{ path: 'pinned.json', size: 1, sha256: 'a'.repeat(64) }];
    await expect(
      fixture.checkpoints.commit({ run: RUN, attempt: 1 }, commitOf(40, ['step'], { files })),
    ).rejects.toThrow(/pinned\.json is written by the control plane/);
  });
});

describe('a deletion', () => {
  test('takes the checkpoint with its files, and is told as of the user', async () => {
    expect((await call('DELETE', '/checkpoint-10')).status).toBe(204);
    expect(steps()).toEqual([30, 20]);
    for await (const { key } of fixture.store.list('')) expect(key).not.toContain('checkpoint-10/');
    expect(fixture.events.at(-1)).toMatchObject({
      name: 'checkpoint_deleted',
      actor: 'user',
      message: 'Checkpoint deleted: a1/checkpoint-10 (on request)',
    });
    expect((await problemOf(await call('DELETE', '/checkpoint-10'))).kind).toBe('not-found');
  });

  test('is refused for what is pinned, needed, or of the parent, and then nothing is gone', async () => {
    await call('POST', '/checkpoint-10/pin');
    expect(await problemOf(await call('DELETE', '/checkpoint-10'))).toMatchObject({
      kind: 'conflict',
      detail: `a1/checkpoint-10 of ${RUN} is pinned; unpin it first (DELETE /runs/${RUN}/checkpoints/a1%2Fcheckpoint-10/pin).`,
    });
    needed = ({ step }) => {
      if (step === 20) throw new ProblemError('conflict', 'needed elsewhere');
    };
    expect(await problemOf(await call('DELETE', '/checkpoint-20'))).toMatchObject({ detail: 'needed elsewhere' });
    fixture.attempts.start(FORK, { run: RUN, attempt: 1, step: 30 });
    expect(await problemOf(await call('DELETE', '/latest', FORK))).toMatchObject({
      kind: 'conflict',
      detail: expect.stringContaining(`is inherited from ${RUN}; delete it there (DELETE /runs/${RUN}/checkpoints/`),
    });
    expect(steps()).toEqual([30, 20, 10]);
  });

  test('that the store does not carry out leaves the checkpoint as it was', async () => {
    const away = fixture.over({
      ...fixture.store,
      delete: async () => {
        throw new Error('away');
      },
    });
    await expect(away.discard(RUN, 'checkpoint-10', () => undefined)).rejects.toThrow('away');
    expect(away.resolve(RUN, 'checkpoint-10')).toBeDefined();
  });

  test('keeps anyone from choosing the checkpoint from the moment it has begun', async () => {
    const seen: unknown[] = [];
    const watched = fixture.over({
      ...fixture.store,
      delete: async (key) => {
        if (key.endsWith('manifest.json')) seen.push(watched.resolve(RUN, 'latest')?.step);
        await fixture.store.delete(key);
      },
    });
    await watched.discard(RUN, 'latest', () => seen.push(watched.resolve(RUN, 'latest')?.step));
    expect(seen).toEqual([30, 20]);
  });
});

describe('retention on request', () => {
  test('says beforehand what would stay and go, and why, and changes nothing', async () => {
    await call('POST', '/checkpoint-10/pin');
    inUse = [{ run: RUN, attempt: 1, step: 20 }];
    await fixture.save(5);
    fixture.attempts.close(RUN);
    fixture.attempts.start(RUN, { run: RUN, attempt: 1, step: 30 });
    await fixture.store.put(`runs/${RUN}/checkpoints/a1/checkpoint-35/optimizer.pt`, Buffer.from('half'));
    fixture.pass(GRACE_MS);
    const asked = await call('POST', '/prune?dry_run=true');
    const { dry_run, keep, remove, sweep } = (await asked.json()) as RetentionReport;
    const said = (verdicts: { name: string; why: string }[]) => verdicts.map(({ name, why }) => `${name}: ${why}`);
    expect(dry_run).toBe(true);
    expect(said(keep)).toEqual([
      'a1/checkpoint-10: pinned',
      'a1/checkpoint-20: a run starts or resumes from it, or a fork has it as its latest or best',
      'a1/checkpoint-30: the newest (latest); among the newest 1 (save_total_limit)',
    ]);
    expect(said(remove)).toEqual([
      'a1/checkpoint-5: not among the newest 1 (save_total_limit), and no other rule keeps it',
    ]);
    expect(sweep.map(({ name }) => name)).toEqual(['a1/checkpoint-35']);
    expect(steps()).toEqual([30, 20, 10, 5]);

    const done = (await (await call('POST', '/prune')).json()) as RetentionReport;
    expect(done).toEqual({ dry_run: false, keep, remove, sweep });
    expect(steps()).toEqual([30, 20, 10]);
    for await (const { key } of fixture.store.list('')) expect(key).not.toContain('checkpoint-35');
  });

  test('of no run is not found', async () => {
    expect((await problemOf(await call('POST', '/prune', 'run-00000000'))).kind).toBe('not-found');
  });
});
