import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { makeTinyModel } from '../../services/model/tiny-model.ts';
import { expectNothingLeaked, expectSoundBucket } from '../support/bucket.ts';
import type { Passage } from '../support/fault-proxy.ts';
import type { FaultRule } from '../support/fault-rules.ts';
import { finalState } from '../support/final-state.ts';
import type { S3Operation, S3Request } from '../support/s3-request.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { endlessRecovery } from '../support/storm.ts';
import { pidOf } from '../support/tandem.ts';
import { noMinio, startTandemOnS3, type TandemOnS3 } from '../support/tandem-on-s3.ts';

const seed = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 100_000);
const PART = 16 * 2 ** 20;
const SECONDS = 240;

describe.skipIf(noMinio)(`files of several parts (${noMinio ?? 'MinIO'}, seed ${seed})`, () => {
  let s3: TandemOnS3;
  let spec: object;
  let wanted: Awaited<ReturnType<typeof finalState>>;

  beforeAll(async () => {
    s3 = await startTandemOnS3();
    const small = await makeSmallRuns(s3.tandem);
    // About 25 MiB of weights and twice that of optimizer state: two parts and four.
    const model = join(s3.tandem.directory, 'larger-model');
    await makeTinyModel(model, {
      seed: 3,
      layers: 4,
      hidden: 320,
      heads: 4,
      kvHeads: 4,
      headDim: 80,
      intermediate: 1280,
    });
    spec = {
      ...small.sft({ max_steps: 4, batch_size: 2, save_steps: 2, eval_steps: 4 }),
      model: { name: model, use_lora: false, max_seq_length: 64 },
      ...endlessRecovery,
    };
    const { id } = await s3.tandem.post<Run>('/runs', spec);
    await s3.tandem.untilSucceeded(id, SECONDS);
    wanted = await finalState(s3.tandem, id);
  }, SECONDS * 1000);
  afterEach(() => s3.proxy.inject([]));
  afterAll(() => s3?.dispose());

  test('go up and down in parts, each with its sha256', async () => {
    const [final] = (await s3.tandem.get<{ runs: Run[] }>('/runs')).runs;
    const files = (await s3.tandem.checkpoints(final!.id)).flatMap((each) => each.files).filter(({ parts }) => parts);
    expect(files.map(({ path }) => path)).toContain('optimizer.pt');
    for (const { size, parts } of files) expect(parts!.sha256.length).toBe(Math.ceil(size / parts!.size));
    expect(s3.proxy.passages.filter(({ operation }) => operation === 'UploadPart').length).toBeGreaterThanOrEqual(6);
  });

  test('parts that are reset, lost, flipped or refused are sent again, and only they', async () => {
    const parts = ({ operation }: { operation: string }) => operation === 'UploadPart';
    const faults: FaultRule['fault'][] = [
      { kind: 'reset', when: 'within' },
      { kind: 'lost reply' },
      { kind: 'flipped', of: 'request' },
      { kind: 'answer', status: 503, code: 'SlowDown' },
    ];
    s3.proxy.inject(
      [
        ...faults.map((fault) => ({ fault, share: 0.12, match: parts })),
        {
          fault: { kind: 'lost reply' },
          share: 1,
          times: 1,
          match: ({ operation }) => operation === 'CompleteMultipartUpload',
        },
        {
          fault: { kind: 'lost reply' },
          share: 1,
          times: 1,
          match: ({ operation }) => operation === 'CreateMultipartUpload',
        },
      ],
      seed,
    );
    const from = s3.proxy.passages.length;
    const { id } = await s3.tandem.post<Run>('/runs', spec);
    await s3.tandem.untilSucceeded(id, SECONDS);
    expect(await finalState(s3.tandem, id)).toEqual(wanted);
    const sent = s3.proxy.passages.slice(from).filter(parts);
    const failed = sent.filter(({ faults }) => faults.length > 0);
    expect(failed.length).toBeGreaterThan(0);
    const needed = (await neededBytes(id)) + failed.reduce((sum, { up }) => sum + up, 0);
    expect(bytes(sent)).toBeLessThanOrEqual(needed);
    await expectStoreInOrder();
  });

  test('control plane and store killed while parts are begun, sent and joined: what was sent is not sent again', async () => {
    const from = s3.proxy.passages.length;
    const restart = async () => {
      await s3.tandem.kill();
      // Not waited for here: the request that this belongs to ends first.
      restarts.push(sleep(300).then(() => s3.tandem.start()));
    };
    const restartStore = async () => {
      await s3.server.kill();
      restarts.push(sleep(300).then(() => s3.server.start()));
    };
    const restarts: Promise<void>[] = [];
    const points: [S3Operation, number, 'before' | 'after', () => Promise<void>][] = [
      ['CreateMultipartUpload', 1, 'after', restart],
      ['UploadPart', 4, 'after', restart],
      ['UploadPart', 8, 'after', restartStore],
      ['CompleteMultipartUpload', 1, 'after', restart],
      ['CompleteMultipartUpload', 3, 'before', restartStore],
    ];
    s3.proxy.inject(
      points.map(([operation, nth, when, act]) => {
        let seen = 0;
        const match = (each: S3Request) => each.operation === operation && isOfRun(each) && ++seen === nth;
        return { fault: { kind: 'act', when, act }, share: 1, times: 1, match };
      }),
    );
    const { id } = await s3.tandem.post<Run>('/runs', spec);
    await vi.waitUntil(() => restarts.length === points.length, { timeout: SECONDS * 1000, interval: 100 });
    await Promise.all(restarts);
    await s3.tandem.untilSucceeded(id, SECONDS);
    expect(await finalState(s3.tandem, id)).toEqual(wanted);
    const sent = s3.proxy.passages
      .slice(from)
      .filter((each) => each.operation === 'UploadPart' && each.key.includes(id));
    const needed = await neededBytes(id);
    expect(bytes(sent)).toBeGreaterThanOrEqual(needed);
    // At the most a part for each request that was under way when the store was killed.
    expect(bytes(sent) - needed).toBeLessThanOrEqual(4 * PART);
    await expectStoreInOrder();
  });

  test('a trainer killed in the midst of an upload, and of the download after it: nothing of it is left over', async () => {
    const strike = async (id: string) => {
      try {
        process.kill(pidOf(await s3.tandem.run(id), 'trainer'), 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
    };
    let id = '';
    let uploads = 0;
    let downloads = 0;
    const act = () => strike(id);
    s3.proxy.inject([
      // The second checkpoint, so that there is one to resume from.
      {
        fault: { kind: 'act', when: 'before', act },
        share: 1,
        times: 1,
        match: ({ operation }) => operation === 'UploadPart' && ++uploads === 9,
      },
      {
        fault: { kind: 'act', when: 'after', act },
        share: 1,
        times: 1,
        match: ({ operation }) => operation === 'GetObject' && ++downloads === 3,
      },
    ]);
    ({ id } = await s3.tandem.post<Run>('/runs', spec));
    const run = await s3.tandem.untilSucceeded(id, SECONDS);
    expect(run.attempts.length).toBeGreaterThan(1);
    expect(await finalState(s3.tandem, id)).toEqual(wanted);
    await expectStoreInOrder();
  });

  async function expectStoreInOrder(): Promise<void> {
    s3.proxy.inject([]);
    await expectSoundBucket(s3.bucket, { hash: true });
    await expectNothingLeaked(s3.bucket);
  }

  /** Bytes of all files in parts of a run's checkpoints that are left. */
  async function neededBytes(id: string): Promise<number> {
    const files = (await s3.tandem.checkpoints(id)).flatMap((each) => each.files).filter(({ size }) => size > PART);
    return files.reduce((sum, { size }) => sum + size, 0);
  }
});

/** Not of the control plane's own try at start. */
const isOfRun = ({ key }: S3Request): boolean => key.startsWith('runs/');
const bytes = (passages: readonly Passage[]): number => passages.reduce((sum, { up }) => sum + up, 0);
