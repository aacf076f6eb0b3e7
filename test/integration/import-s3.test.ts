import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ImportReport } from '../../services/contracts/checkpoint-requests.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { goldenBase } from '../golden/hf-trainer/base.ts';
import { expectNothingLeaked, expectSoundBucket } from '../support/bucket.ts';
import { copyGolden } from '../support/import-folders.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { noMinio, startTandemOnS3, type TandemOnS3 } from '../support/tandem-on-s3.ts';

const PART = 16 * 2 ** 20;

describe.skipIf(noMinio)(`an import into an object store (${noMinio ?? 'MinIO'})`, () => {
  let s3: TandemOnS3;
  let small: SmallRuns;
  beforeAll(async () => {
    s3 = await startTandemOnS3();
    small = await makeSmallRuns(s3.tandem);
    await makeTinyModel(join(s3.tandem.directory, 'base'), goldenBase);
  });
  afterAll(() => s3?.dispose());

  test('of a folder of the Hugging Face Trainer is resumed where it stopped, from the bytes in the bucket', async () => {
    const { tandem, bucket, proxy } = s3;
    copyGolden(tandem, 'lora', 'hf');
    const spec = {
      model: { name: 'base', max_seq_length: 64 },
      data: { train_data: small.train },
      training: { max_steps: 7, learning_rate: 0.01 },
    };
    const { run: id } = await tandem.post<ImportReport>('/checkpoints/import', { path: 'hf', spec });
    await expectSoundBucket(bucket, { hash: true });
    const from = proxy.passages.length;
    await tandem.post(`/runs/${id}/resume`, { from: 'latest' });
    const run = await tandem.untilSucceeded(id!);
    expect(run.attempts.at(-1)).toMatchObject({ resumed_from: `${id}/a1/checkpoint-4`, resumed_step: 4 });
    const fetched = proxy.passages
      .slice(from)
      .filter(({ operation, key }) => operation === 'GetObject' && key.includes('/a1/'));
    expect(fetched.map(({ key }) => key.split('/').at(-1))).toEqual(
      expect.arrayContaining(['adapter_model.safetensors', 'optimizer.pt', 'scheduler.pt', 'trainer_state.json']),
    );
    await expectNothingLeaked(bucket);
  });

  test('of a file of several parts is fetched in parts', async () => {
    const { tandem, bucket, proxy } = s3;
    const model = join(tandem.directory, 'larger-model');
    // About 25 MiB of weights.
    const shape = { layers: 4, hidden: 320, heads: 4, kvHeads: 4, headDim: 80, intermediate: 1280 };
    await makeTinyModel(model, { seed: 3, ...shape });
    cpSync(model, join(tandem.directory, 'larger/checkpoint-1'), { recursive: true });
    writeFileSync(join(tandem.directory, 'larger/checkpoint-1/trainer_state.json'), '{"global_step": 1, "epoch": 0}');
    const spec = {
      model: { name: 'larger-model', use_lora: false, max_seq_length: 64 },
      data: { train_data: small.train },
      training: { max_steps: 2, batch_size: 2 },
    };
    const { run: id } = await tandem.post<ImportReport>('/checkpoints/import', { path: 'larger', spec });
    const [imported] = await tandem.checkpoints(id!);
    const weights = imported!.files.find(({ path }) => path === 'model/model.safetensors')!;
    expect(weights.parts).toEqual({ size: PART, sha256: [expect.any(String), expect.any(String)] });
    await expectSoundBucket(bucket, { hash: true });
    const from = proxy.passages.length;
    await tandem.post(`/runs/${id}/resume`, { from: 'latest' });
    await tandem.untilSucceeded(id!);
    const fetched = proxy.passages
      .slice(from)
      .filter(
        ({ operation, key }) => operation === 'GetObject' && key.endsWith('/a1/checkpoint-1/model/model.safetensors'),
      );
    expect(fetched.map(({ down }) => down).sort((a, b) => a - b)).toEqual([weights.size - PART, PART]);
  });
});
