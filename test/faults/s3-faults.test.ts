import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { expectNothingLeaked, expectSoundBucket } from '../support/bucket.ts';
import type { Fault, FaultRule } from '../support/fault-rules.ts';
import { finalState } from '../support/final-state.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { endlessRecovery } from '../support/storm.ts';
import { ended, pidOf } from '../support/tandem.ts';
import { noMinio, startTandemOnS3, type TandemOnS3 } from '../support/tandem-on-s3.ts';
import { type CheckpointWatch, watchCheckpoints } from '../support/watch-checkpoints.ts';
import { expectTreeOfFinal } from '../support/what-is-kept.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';
const seed = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 100_000);
const SECONDS = 240;

const methods = ['sft', 'grpo'] as const;
type Method = (typeof methods)[number];

const some = (share: number, ...faults: Fault[]): FaultRule[] => faults.map((fault) => ({ fault, share }));
/** Bytes of files carry their sha256 on the way; a listing or a manifest is guarded by TLS alone. */
const isFile = ({ key }: { key: string }): boolean =>
  /\/checkpoints\/a\d+\/checkpoint-\d+\//.test(key) && !key.endsWith('/manifest.json');

const kinds: Record<string, FaultRule[]> = {
  'connections reset before, within and after bodies': some(
    0.07,
    { kind: 'reset', when: 'before' },
    { kind: 'reset', when: 'within' },
    { kind: 'reset', when: 'after' },
  ),
  '500, 503 and SlowDown': some(
    0.07,
    { kind: 'answer', status: 500, code: 'InternalError' },
    { kind: 'answer', status: 503, code: 'SlowDown' },
    { kind: 'answer', status: 503, code: 'ServiceUnavailable' },
  ),
  'lost replies': some(0.2, { kind: 'lost reply' }),
  'truncated answers': some(0.2, { kind: 'truncated' }),
  'flipped bits': [
    { fault: { kind: 'flipped', of: 'request' }, share: 0.2, match: isFile },
    { fault: { kind: 'flipped', of: 'response' }, share: 0.2, match: isFile },
  ],
  'a slow and late network': [
    ...some(0.5, { kind: 'slow', bytesPerSecond: 2_000_000 }),
    ...some(0.2, { kind: 'late', milliseconds: 300 }),
  ],
};
/** What a network does to bytes and answers; the rest costs as much again, and comes with --full. */
const usual = ['connections reset before, within and after bodies', 'lost replies', 'flipped bits'];
const everything = Object.values(kinds)
  .flat()
  .map((rule) => ({ ...rule, share: rule.share / 4 }));

describe.skipIf(noMinio)(
  `runs whose checkpoints go through a bad network (${noMinio ?? 'MinIO'}, seed ${seed})`,
  () => {
    let s3: TandemOnS3;
    let specs: Record<Method, object>;
    const wanted: Record<string, Awaited<ReturnType<typeof finalState>>> = {};
    const ids: string[] = [];
    let watch: CheckpointWatch;

    beforeAll(async () => {
      s3 = await startTandemOnS3({ env: { TANDEM_SLOTS: '2' } });
      const small = await makeSmallRuns(s3.tandem);
      specs = {
        sft: { ...small.sft({ max_steps: 40, save_steps: 5, eval_steps: 10 }), ...endlessRecovery },
        grpo: small.grpo({ max_steps: 10, save_steps: 2 }, endlessRecovery),
      };
      for (const [name, spec] of Object.entries(specs)) {
        const { id } = await s3.tandem.post<Run>('/runs', spec);
        await s3.tandem.untilSucceeded(id, SECONDS);
        wanted[name] = await finalState(s3.tandem, id);
      }
      watch = watchCheckpoints(s3.tandem, s3.bucket, () => ids);
    }, SECONDS * 1000);
    afterEach(() => s3.proxy.inject([]));
    afterAll(async () => {
      await s3?.dispose();
    });

    test.each(
      full ? Object.keys(kinds) : usual,
    )('%s: SFT and GRPO end with the right bytes, killed once on their way', async (kind) => {
      s3.proxy.inject(kinds[kind]!, seed);
      await runAll(methods);
      expect(Object.values(s3.proxy.done()).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
    });

    test('a store that is away for a while: runs wait for it and lose nothing', async () => {
      const away = async () => {
        for (let time = 0; time < 2; time++) {
          await s3.tandem.until(ids.at(-1)!, (run) => ended(run) || (run.progress?.step ?? 0) >= 2 + 3 * time);
          await s3.proxy.down();
          // The control plane lives on, and says what it lacks.
          expect(await s3.tandem.get('/readyz')).toMatchObject({ status: 'ready' });
          await new Promise((resolve) => setTimeout(resolve, 4000));
          await s3.proxy.up();
        }
      };
      await runAll(methods, away);
    });

    test.runIf(full).each(Array.from({ length: 20 }, (_, i) => i))('everything at once, %i', async (i) => {
      s3.proxy.inject(everything, seed + i);
      await runAll(methods);
    });

    test('at no moment was a manifest without its files, was the best lost or went latest back', async () => {
      expect(await watch.stop()).toBeGreaterThan(10);
    });

    async function runAll(chosen: readonly Method[], meanwhile?: () => Promise<void>): Promise<void> {
      const runs = await Promise.all(
        chosen.map(async (name) => {
          const { id } = await s3.tandem.post<Run>('/runs', specs[name]);
          ids.push(id);
          return { name, id };
        }),
      );
      const kills = runs.map(({ name, id }) => killOnce(id, name === 'sft' ? 12 : 4));
      const [, ...killed] = await Promise.all([meanwhile?.(), ...kills]);
      for (const [i, { name, id }] of runs.entries()) {
        const run = await s3.tandem.untilSucceeded(id, SECONDS);
        expect(await finalState(s3.tandem, id), `${name} ${id}`).toEqual(wanted[name]);
        if (killed[i]) expect(run.attempts.length).toBeGreaterThan(1);
        await expectTreeOfFinal(s3.tandem, run);
      }
      s3.proxy.inject([]);
      await expectSoundBucket(s3.bucket, { hash: true });
      await expectNothingLeaked(s3.bucket);
    }

    /** Kills the trainer once there is a checkpoint, so that the next one resumes through the store; false when it had ended before. */
    async function killOnce(id: string, step: number): Promise<boolean> {
      const saved = async () => ended(await s3.tandem.run(id)) || (await s3.tandem.checkpoints(id)).length > 0;
      await s3.tandem.until(id, (run) => ended(run) || (run.progress?.step ?? 0) >= step, SECONDS);
      await vi.waitUntil(saved, { timeout: SECONDS * 1000, interval: 100 });
      const run = await s3.tandem.run(id);
      try {
        return !ended(run) && process.kill(pidOf(run, 'trainer'), 'SIGKILL');
      } catch {
        return false;
      }
    }
  },
);
