import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { expectNothingLeaked, expectSoundBucket } from '../support/bucket.ts';
import { finalState } from '../support/final-state.ts';
import { mountSmallDisk, noMounts, type SmallDisk } from '../support/small-disk.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { ended } from '../support/tandem.ts';
import { noMinio, startTandemOnS3, type TandemOnS3 } from '../support/tandem-on-s3.ts';

const why = noMinio ?? noMounts;
const steps = { max_steps: 120, save_steps: 10, eval_steps: 20 };
let s3: TandemOnS3;
let disk: SmallDisk;
afterEach(async () => {
  await s3?.dispose();
  disk?.dispose();
});

describe.skipIf(why)(`the store's disk fills in the middle of a run (${why ?? 'MinIO, root'})`, () => {
  test('training goes on, saves fail and say so, old checkpoints stay, and the run ends with the right bytes', async () => {
    disk = mountSmallDisk('64m');
    s3 = await startTandemOnS3({ options: { data: disk.path } });
    const { tandem, bucket } = s3;
    const small = await makeSmallRuns(tandem);
    const straight = await tandem.post<Run>('/runs', small.sft(steps));
    await tandem.untilSucceeded(straight.id);
    const { id } = await tandem.post<Run>('/runs', small.sft(steps));
    const best = async () => (await tandem.checkpoints(id)).find(({ aliases }) => aliases.includes('best'));
    await expect.poll(best, { timeout: 60_000 }).toBeDefined();
    const { step } = (await best())!;

    disk.fill();
    const failed = async () => (await tandem.events(id)).filter(({ name }) => name === 'save_failed');
    await expect.poll(failed, { timeout: 60_000 }).not.toEqual([]);
    expect((await failed())[0]).toMatchObject({
      message: expect.stringMatching(/^checkpoint-\d+ could not be saved: .*the store is full, free space there$/),
    });
    expect((await best())?.step).toBeGreaterThanOrEqual(step);
    await expectSoundBucket(bucket, { hash: true });
    expect(ended(await tandem.run(id))).toBe(false);
    disk.free();

    await tandem.untilSucceeded(id);
    expect((await tandem.run(id)).attempts.length).toBe(1);
    expect(await finalState(tandem, id)).toEqual(await finalState(tandem, straight.id));
    await expectSoundBucket(bucket, { hash: true });
    await expectNothingLeaked(bucket);
    expect(tandem.serverLog()).not.toContain(s3.server.secretKey);
  });
});

describe.skipIf(why)(`the trainer's disk fills while checkpoints go to a store (${why ?? 'MinIO, root'})`, () => {
  test('training goes on, saves fail and say so, the checkpoint before stays, and the run ends with the right bytes', async () => {
    disk = mountSmallDisk('24m');
    s3 = await startTandemOnS3({ env: { TANDEM_HOME: join(disk.path, 'home') } });
    const { tandem, bucket } = s3;
    const small = await makeSmallRuns(tandem);
    const straight = await tandem.post<Run>('/runs', small.sft(steps));
    await tandem.untilSucceeded(straight.id);
    const { id } = await tandem.post<Run>('/runs', small.sft(steps));
    const latest = async () => (await tandem.checkpoints(id))[0];
    await expect.poll(latest, { timeout: 60_000 }).toBeDefined();

    // Enough for records and database, never for a checkpoint.
    disk.fill(2 ** 19);
    const before = (await latest())!;
    const failed = async () => (await tandem.events(id)).filter(({ name }) => name === 'save_failed');
    // The first may have been written already when the disk filled.
    await expect
      .poll(failed, { timeout: 60_000 })
      .toContainEqual(
        expect.objectContaining({ message: expect.stringMatching(/the checkpoint needs about [\d.]+ MiB/) }),
      );
    for (const each of await failed()) {
      expect(each).toMatchObject({
        reason: 'disk_full',
        message: expect.stringMatching(
          /^checkpoint-\d+ could not be saved: The disk is full: .*\/trainer\/checkpoints /,
        ),
        data: { remedy: expect.stringMatching(/^Free .* on the disk of .*; the next checkpoint is saved/) },
      });
    }
    const { step } = (await tandem.run(id)).progress!;
    await tandem.until(id, (run) => ended(run) || (run.progress?.step ?? 0) > step);
    // What was being sent when the disk filled may have come after it.
    const now = (await latest())!;
    expect(now.step).toBeGreaterThanOrEqual(before.step);
    expect([...(await bucket.manifests(`runs/${id}/`)).values()].map((each) => each.step)).toContain(now.step);
    await expectSoundBucket(bucket, { hash: true });
    expect(ended(await tandem.run(id))).toBe(false);
    disk.free();

    await tandem.untilSucceeded(id);
    expect((await tandem.run(id)).attempts.length).toBe(1);
    expect(await finalState(tandem, id)).toEqual(await finalState(tandem, straight.id));
    await expectSoundBucket(bucket, { hash: true });
    await expectNothingLeaked(bucket);
  });
});
