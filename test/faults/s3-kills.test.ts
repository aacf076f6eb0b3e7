import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { expectNothingLeaked, expectSoundBucket } from '../support/bucket.ts';
import type { FaultRule } from '../support/fault-rules.ts';
import { finalState } from '../support/final-state.ts';
import type { S3Request } from '../support/s3-request.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { endlessRecovery, seededRandom } from '../support/storm.ts';
import { atRest, ended, pidOf } from '../support/tandem.ts';
import { noMinio, startTandemOnS3, type TandemOnS3 } from '../support/tandem-on-s3.ts';
import { type CheckpointWatch, watchCheckpoints } from '../support/watch-checkpoints.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';
const seed = Number(process.env['TANDEM_TEST_SEED'] ?? Date.now() % 100_000);
const kills = Number(process.env['TANDEM_TEST_KILLS'] ?? (full ? 300 : 9));
const SECONDS = 300;

const victims = ['trainer', 'control plane', 'store'] as const;
type Victim = (typeof victims)[number];

const isManifest = ({ key }: S3Request): boolean => key.endsWith('/manifest.json');
const isFile = (request: S3Request): boolean => request.key.includes('/checkpoint-') && !isManifest(request);

/** The steps of save, prune and resume, as the store sees them. */
const steps: Record<string, (request: S3Request) => boolean> = {
  'a file is sent': (request) => request.operation === 'PutObject' && isFile(request),
  'a file is looked at before the commit': (request) => request.operation === 'HeadObject' && isFile(request),
  'the manifest is written': (request) => request.operation === 'PutObject' && isManifest(request),
  'a manifest is deleted': (request) => request.operation === 'DeleteObject' && isManifest(request),
  'a file is deleted': (request) => /^DeleteObjects?$/.test(request.operation) && !isManifest(request),
  'the store is listed': ({ operation }) => operation === 'ListObjects',
  'a file is fetched': (request) => request.operation === 'GetObject' && isFile(request),
};

describe.skipIf(noMinio)(`programs killed at the steps of save, prune and resume (${noMinio ?? 'MinIO'})`, () => {
  const random = seededRandom(seed);
  let s3: TandemOnS3;
  let small: SmallRuns;
  let watch: CheckpointWatch;
  const ids: string[] = [];

  beforeAll(async () => {
    s3 = await startTandemOnS3();
    small = await makeSmallRuns(s3.tandem);
    watch = watchCheckpoints(s3.tandem, s3.bucket, () => ids);
  });
  afterAll(() => s3?.dispose());

  test(
    `${kills} kills of trainer, control plane and store: every run ends with the right bytes, and the store holds what its manifests say (seed ${seed})`,
    { timeout: 300_000 + kills * 30_000 },
    async () => {
      const specs = [
        { ...small.sft({ max_steps: 60, save_steps: 3, eval_steps: 9 }), ...endlessRecovery },
        small.grpo({ max_steps: 16, save_steps: 2 }, endlessRecovery),
      ].slice(0, full ? 2 : 1);
      const wanted: Awaited<ReturnType<typeof finalState>>[] = [];
      for (const spec of specs) {
        const { id } = await s3.tandem.post<Run>('/runs', spec);
        await s3.tandem.untilSucceeded(id, SECONDS);
        wanted.push(await finalState(s3.tandem, id));
      }
      const plans = killPlans(random).slice(0, kills);

      const done: string[] = [];
      while (done.length < plans.length) {
        const { id } = await s3.tandem.post<Run>('/runs', specs[ids.length % specs.length]);
        const which = ids.push(id) - 1;
        while (done.length < plans.length) {
          const plan = plans[done.length]!;
          await s3.tandem.until(id, (run) => ended(run) || run.status === 'running', SECONDS);
          if (!(await killAt(plan, id))) break;
          done.push(`${plan.victim} ${plan.when} ${plan.step}`);
          await expectSoundBucket(s3.bucket, { hash: done.length % 3 === 0 });
        }
        const run = await s3.tandem.until(id, atRest, SECONDS);
        expect(run, `seed ${seed}, ${done.at(-1)}: ${run.message}`).toMatchObject({ status: 'succeeded' });
        expect(await finalState(s3.tandem, id), `seed ${seed}, ${done.join(', ')}`).toEqual(
          wanted[which % specs.length],
        );
      }
      await expectSoundBucket(s3.bucket, { hash: true });
      await expectNothingLeaked(s3.bucket);
      expect(await watch.stop()).toBeGreaterThan(5);
      process.stdout.write(`kills on the way to the store, seed ${seed}: ${done.length} in ${ids.length} runs\n`);
    },
  );

  /** Kills a victim when the step comes, and starts it again; false when the run ended before. */
  async function killAt({ victim, step, when }: KillPlan, id: string): Promise<boolean> {
    let struck: (() => void) | undefined;
    const strike = new Promise<true>((resolve) => (struck = () => resolve(true)));
    const act = async () => {
      await kill(victim, id);
      struck?.();
    };
    const rule: FaultRule = { fault: { kind: 'act', when, act }, share: 1, times: 1, match: steps[step]! };
    s3.proxy.inject([rule]);
    // A resume fetches; nothing else asks for a file.
    if (step === 'a file is fetched') await kill('trainer', id);
    const happened = await Promise.race([
      strike,
      s3.tandem.until(id, ended, SECONDS).then(
        () => false,
        () => strike,
      ),
    ]);
    s3.proxy.inject([]);
    if (!happened) return false;
    await sleep(random() * 500);
    if (victim === 'control plane') await s3.tandem.start();
    if (victim === 'store') await s3.server.start();
    return true;
  }

  async function kill(victim: Victim, id: string): Promise<void> {
    if (victim === 'control plane') return s3.tandem.kill();
    if (victim === 'store') return s3.server.kill();
    const run = await s3.tandem.run(id);
    try {
      process.kill(pidOf(run, 'trainer'), 'SIGKILL');
    } catch {
      // it has ended, and is as dead
    }
  }
});

interface KillPlan {
  victim: Victim;
  step: string;
  when: 'before' | 'after';
}

/** Every victim at every step, before and after the store has done it, in an order of its own; then the same in another one. */
function killPlans(random: () => number): KillPlan[] {
  const all = Object.keys(steps).flatMap((step) =>
    victims.flatMap((victim) => (['before', 'after'] as const).map((when): KillPlan => ({ victim, step, when }))),
  );
  const rounds = Math.ceil(kills / all.length);
  return Array.from({ length: rounds }, () =>
    all
      .map((plan) => ({ plan, at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ plan }) => plan),
  ).flat();
}
