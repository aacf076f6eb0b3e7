import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { expectNothingLeaked, expectSoundBucket } from '../support/bucket.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { ended } from '../support/tandem.ts';
import { noMinio, startTandemOnS3, type TandemOnS3 } from '../support/tandem-on-s3.ts';

describe.skipIf(noMinio)(`a store that refuses in the middle of a run (${noMinio ?? 'MinIO'})`, () => {
  let s3: TandemOnS3;
  let id: string;

  beforeAll(async () => {
    s3 = await startTandemOnS3();
    const small = await makeSmallRuns(s3.tandem);
    const spec = small.sft({ max_steps: 400, save_steps: 4, eval_steps: 200 });
    ({ id } = await s3.tandem.post<Run>('/runs', spec));
    await s3.tandem.until(id, (run) => ended(run) || (run.progress?.step ?? 0) >= 8);
  });
  afterEach(() => s3.proxy.inject([]));
  afterAll(() => s3?.dispose());

  const keys = 'check TANDEM_S3_ACCESS_KEY and TANDEM_S3_SECRET_KEY';
  test.each([
    [403, 'SignatureDoesNotMatch', `does not accept the keys (SignatureDoesNotMatch); ${keys}`],
    [403, 'AccessDenied', 'denies access; allow the keys to list, read, write and delete in the bucket tandem'],
    [404, 'NoSuchBucket', 'has no bucket tandem; create it, name another by TANDEM_S3_BUCKET'],
    [403, 'RequestTimeTooSkewed', 'clock that differs by more than 15 minutes from the clock here; set both by NTP'],
  ])('%s %s: the failed save says what to do, the run goes on, and later saves go well', async (status, code, words) => {
    const failed = async () => (await s3.tandem.events(id)).filter(({ name }) => name === 'save_failed');
    const before = (await failed()).length;
    s3.proxy.inject([{ fault: { kind: 'answer', status, code }, share: 1 }]);
    await expect.poll(async () => (await failed()).length, { timeout: 60_000 }).toBeGreaterThan(before);
    const text = JSON.stringify((await failed()).slice(before));
    // Whoever meets it first tells it: the control plane in its words (an answer without a body has no code), or the trainer in the midst of sending.
    const bodyless = status === 403 ? '|denies access' : '';
    const sending = `answered ${status} ${code}.*Check bucket, keys and clocks`;
    if (!text.includes(words)) expect(text).toMatch(new RegExp(sending + bodyless));
    expect(text).not.toMatch(/X-Amz-(Signature|Credential)|secret-of-the-tests/i);
    s3.proxy.inject([]);
    const { step } = (await s3.tandem.run(id)).progress!;
    const newest = async () => (await s3.tandem.checkpoints(id))[0]?.step ?? 0;
    await expect.poll(newest, { timeout: 60_000 }).toBeGreaterThanOrEqual(step);
    expect(await s3.tandem.run(id)).toMatchObject({ status: 'running', attempts: [{ number: 1 }] });
  });

  test('whatever was refused, nothing is broken or left over', async () => {
    await s3.tandem.post(`/runs/${id}/cancel`);
    await s3.tandem.until(id, ended);
    await expectSoundBucket(s3.bucket, { hash: true });
    await expectNothingLeaked(s3.bucket);
    expect(s3.tandem.serverLog()).not.toMatch(/X-Amz-Signature|secret-of-the-tests/);
  });
});
