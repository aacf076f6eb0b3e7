import { describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../platform/object-store.ts';
import { type CheckpointFixture, commitOf, newest, openCheckpoints, RUN } from './checkpoint.fixtures.ts';
import { checkpointPrefix, manifestKey, pinKey } from './checkpoint-keys.ts';
import { surveyCheckpoints } from './survey.ts';

/** A kill of the control plane at every call it makes to the store, before the call takes effect and after. */

class Killed extends Error {}

/** The store as a process sees it that dies at its `dieAt`-th call. `local` as a directory, else as a remote store. */
function mortal(store: ObjectStore, { dieAt, after, local }: { dieAt: number; after: boolean; local: boolean }) {
  let calls = 0;
  const guard = async <T>(call: () => Promise<T>): Promise<T> => {
    calls += 1;
    if (calls > dieAt || (calls === dieAt && !after)) throw new Killed();
    const result = await call();
    if (calls === dieAt) throw new Killed();
    return result;
  };
  const view: ObjectStore = {
    ...store,
    put: (key, body) => guard(() => store.put(key, body)),
    putIfAbsent: (key, body) => guard(() => store.putIfAbsent(key, body)),
    get: (key) => guard(() => store.get(key)),
    head: (key) => guard(() => store.head(key)),
    delete: (key) => guard(() => store.delete(key)),
    localDirectory: (prefix) => (local ? store.localDirectory(prefix) : null),
  };
  return { view, calls: () => calls };
}

/** What the next process does by itself for a run that is active or queued, and for any other. */
type Restart = 'rebuild' | 'sweep';

/** Runs `work` once for each call to the store at which it can be killed; checks what is found after the `restart`. */
async function killEverywhere(
  prepare: (fixture: CheckpointFixture) => Promise<void>,
  work: (fixture: CheckpointFixture, view: ObjectStore) => Promise<unknown>,
  check: (fixture: CheckpointFixture) => Promise<void>,
  restart: Restart = 'rebuild',
): Promise<number> {
  let kills = 0;
  for (const local of [true, false]) {
    for (const after of [false, true]) {
      for (let dieAt = 1, survived = false; !survived; dieAt++) {
        const fixture = openCheckpoints();
        await prepare(fixture);
        const { view } = mortal(fixture.store, { dieAt, after, local });
        survived = await work(fixture, view).then(
          () => true,
          (error: unknown) => {
            if (error instanceof Killed) return false;
            throw error;
          },
        );
        if (!survived) kills += 1;
        if (restart === 'rebuild') await fixture.checkpoints.rebuild(RUN);
        else await fixture.checkpoints.sweep();
        await expectSound(fixture);
        await check(fixture);
        await expectSound(fixture);
        fixture.close();
      }
    }
  }
  return kills;
}

/** Index and store agree, and every checkpoint there is has all its files. */
async function expectSound({ checkpoints, store }: CheckpointFixture): Promise<void> {
  const listed = checkpoints.list(RUN);
  const { committed: stored } = await surveyCheckpoints(store, RUN);
  expect(listed.map(({ attempt, step }) => `${attempt}/${step}`).sort()).toEqual(
    stored.map(({ attempt, step }) => `${attempt}/${step}`).sort(),
  );
  for (const { attempt, step, files } of listed) {
    for (const { path, size } of files) {
      expect(await store.head(checkpointPrefix({ run: RUN, attempt, step }) + path)).toEqual({ size });
    }
  }
}

describe('a kill at any point', () => {
  it('of a commit leaves no half checkpoint, and the trainer who repeats it gets one', async () => {
    const kills = await killEverywhere(
      async (fixture) => {
        await fixture.save(10);
        await fixture.upload(20);
      },
      (fixture, view) => fixture.over(view).commit({ run: RUN, attempt: 1 }, commitOf(20)),
      async ({ checkpoints, events }) => {
        const manifest = await checkpoints.commit({ run: RUN, attempt: 1 }, commitOf(20));
        expect(checkpoints.resolve(RUN, 'latest')).toEqual(manifest);
        expect(events.filter(({ message }) => message === 'Checkpoint saved: checkpoint-20')).toHaveLength(1);
      },
    );
    expect(kills).toBeGreaterThan(10);
  });

  it('of a prune leaves only whole checkpoints, and the next one finishes it without a trace', async () => {
    const kills = await killEverywhere(
      async (fixture) => {
        for (const step of [10, 20, 30, 40]) await fixture.save(step);
      },
      (fixture, view) => fixture.over(view).prune(RUN, newest(2)),
      async ({ checkpoints, store, attempts, events }) => {
        attempts.close(RUN);
        await checkpoints.prune(RUN, newest(2));
        expect(checkpoints.list(RUN).map(({ step }) => step)).toEqual([40, 30]);
        const left = new Set<string>();
        for await (const { key } of store.list('')) left.add(key.split('/').slice(0, -1).join('/'));
        expect([...left].filter((prefix) => /checkpoint-(10|20)/.test(prefix))).toEqual([]);
        expect(events.filter(({ name }) => name === 'checkpoint_deleted')).toHaveLength(2);
      },
      'sweep',
    );
    expect(kills).toBeGreaterThan(4);
  });

  it('of a pin and its removal leaves index and store of one mind, and repeating it ends as asked', async () => {
    const agree = async ({ checkpoints, store }: CheckpointFixture) => {
      const stored = await store.head(pinKey({ run: RUN, attempt: 1, step: 10 }));
      expect(checkpoints.show(RUN, 'checkpoint-10')?.pinned).toBe(stored !== null);
    };
    const change = async (checkpoints: CheckpointFixture['checkpoints']) => {
      await checkpoints.pin(RUN, 'checkpoint-10');
      await checkpoints.unpin(RUN, 'checkpoint-10');
      await checkpoints.pin(RUN, 'checkpoint-10');
    };
    const kills = await killEverywhere(
      async (fixture) => {
        await fixture.save(10);
      },
      (fixture, view) => change(fixture.over(view)),
      async (fixture) => {
        await agree(fixture);
        await fixture.checkpoints.pin(RUN, 'checkpoint-10');
        await agree(fixture);
        expect(fixture.checkpoints.show(RUN, 'checkpoint-10')?.pinned).toBe(true);
      },
    );
    expect(kills).toBe(12);
  });

  it('of a deletion leaves a whole checkpoint or none, and what is left of it goes with the next prune', async () => {
    const kills = await killEverywhere(
      async (fixture) => {
        for (const step of [10, 20]) await fixture.save(step);
      },
      (fixture, view) => fixture.over(view).discard(RUN, 'checkpoint-10', () => undefined),
      async ({ checkpoints, store, attempts }) => {
        attempts.close(RUN);
        if (checkpoints.resolve(RUN, 'checkpoint-10') !== undefined) {
          await checkpoints.discard(RUN, 'checkpoint-10', () => undefined);
        }
        await checkpoints.prune(RUN, newest(5));
        expect(checkpoints.list(RUN).map(({ step }) => step)).toEqual([20]);
        for await (const { key } of store.list('')) expect(key).not.toContain('checkpoint-10/');
      },
      'sweep',
    );
    expect(kills).toBeGreaterThan(4);
  });

  it('between manifest and index is healed by a repeated commit alone', async () => {
    const fixture = openCheckpoints();
    await fixture.upload(10);
    const { view } = mortal(fixture.store, { dieAt: 4, after: true, local: true });
    await expect(fixture.over(view).commit({ run: RUN, attempt: 1 }, commitOf(10))).rejects.toThrow(Killed);
    expect(await fixture.store.head(manifestKey({ run: RUN, attempt: 1, step: 10 }))).not.toBeNull();
    expect(fixture.checkpoints.list(RUN)).toEqual([]);
    await fixture.checkpoints.commit({ run: RUN, attempt: 1 }, commitOf(10));
    expect(fixture.checkpoints.list(RUN).map(({ step }) => step)).toEqual([10]);
    fixture.close();
  });

  it('is outlived by checkpoints beside one whose manifest was damaged', async () => {
    const fixture = openCheckpoints();
    await fixture.save(10);
    await fixture.upload(20);
    await fixture.store.put(manifestKey({ run: RUN, attempt: 1, step: 20 }), Buffer.from('{'));
    await fixture.checkpoints.rebuild(RUN);
    expect(fixture.checkpoints.resolve(RUN, 'latest')?.step).toBe(10);
    await expect(fixture.checkpoints.commit({ run: RUN, attempt: 1 }, commitOf(20))).rejects.toMatchObject({
      type: 'checkpoint-unusable',
    });
    fixture.close();
  });
});
