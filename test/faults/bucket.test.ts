import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MANIFEST_SCHEMA } from '../../services/contracts/checkpoint.ts';
import { type Bucket, expectNothingLeaked, expectSoundBucket, openBucket } from '../support/bucket.ts';
import { type S3Server, startMinio } from '../support/s3-servers.ts';
import { noMinio } from '../support/tandem-on-s3.ts';

describe.skipIf(noMinio)(`what the faults are judged by (${noMinio ?? 'MinIO'})`, () => {
  const prefix = 'runs/run-12345678/checkpoints/a1/checkpoint-3/';
  const content = Buffer.from('the weights');
  let server: S3Server;
  let bucket: Bucket;

  beforeAll(async () => {
    server = await startMinio();
    bucket = openBucket(server);
    const files = [{ path: 'w.bin', size: content.length, sha256: createHash('sha256').update(content).digest('hex') }];
    await put('w.bin', content);
    await put(
      'manifest.json',
      JSON.stringify({
        schema: MANIFEST_SCHEMA,
        run: 'run-12345678',
        attempt: 1,
        name: 'checkpoint-3',
        created_at: '2026-11-20T09:00:00.000Z',
        step: 3,
        purposes: ['step'],
        policy_version: 3,
        record: 1,
        epoch: 0,
        best_metric: null,
        metrics: {},
        inputs: {},
        files,
      }),
    );
  });
  afterAll(() => server?.close());

  const put = (path: string, bytes: Buffer | string) =>
    bucket.client.putObject(server.bucket, prefix + path, Buffer.from(bytes));

  test('a whole checkpoint is sound, and nothing of it is a leak', async () => {
    expect(await expectSoundBucket(bucket, { hash: true })).toBe(1);
    await expectNothingLeaked(bucket, 0);
  });

  test('a file with another byte, with another size or missing is found', async () => {
    await put('w.bin', 'the Weights');
    await expectSoundBucket(bucket, { hash: false });
    await expect(expectSoundBucket(bucket, { hash: true })).rejects.toThrow(prefix);
    await put('w.bin', 'the weight');
    await expect(expectSoundBucket(bucket, { hash: false })).rejects.toThrow(prefix);
    await bucket.client.removeObject(server.bucket, `${prefix}w.bin`);
    await expect(expectSoundBucket(bucket, { hash: false })).rejects.toThrow(prefix);
    await put('w.bin', content);
  });

  test('a file that no manifest names is a leak', async () => {
    await put('other.bin', content);
    await expect(expectNothingLeaked(bucket, 0)).rejects.toThrow('other.bin');
    await bucket.client.removeObject(server.bucket, `${prefix}other.bin`);
  });

  test('an upload that was never joined is a leak', async () => {
    await bucket.client.initiateNewMultipartUpload(server.bucket, `${prefix}parts.bin`, {});
    await expect(expectNothingLeaked(bucket, 0)).rejects.toThrow('uploads');
  });
});
