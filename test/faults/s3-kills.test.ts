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
const kills = Number(process.env['TANDEM_TEST_KILLS'] ?? (full ? 300 : 7));
const SECONDS = 300;
/** Runs of which each ended before a step came; then it never comes. */
const MOST_IN_VAIN = 5;

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
      const plans = killPlans(random);
      const done: string[] = [];
      const specs: Record<KillPlan['run'], object> = {
        SFT: { ...small.sft({ max_steps: 60, save_steps: 3, eval_steps: 9 }), ...endlessRecovery },
        'GRPO LoRA': small.grpo({ max_steps: 16, save_steps: 2, save_total_limit: 2 }, endlessRecovery),
      };
      for (const [kind, spec] of Object.entries(specs)) {
        const straight = await s3.tandem.post<Run>('/runs', spec);
        await s3.tandem.untilSucceeded(straight.id, SECONDS);
        const wanted = await finalState(s3.tandem, straight.id);
        const open = plans.filter(({ run }) => run === kind);
        for (let inVain = 0; open.length > 0; inVain++) {
          const { id } = await s3.tandem.post<Run>('/runs', spec);
          ids.push(id);
          for (let plan = open[0]; plan !== undefined; plan = open[0]) {
            await s3.tandem.until(id, (run) => ended(run) || run.status === 'running', SECONDS);
            if (!(await killAt(plan, id))) break;
            open.shift();
            inVain = 0;
            done.push(`${plan.victim} ${plan.when} ${plan.step}`);
            await expectSoundBucket(s3.bucket, { hash: done.length % 3 === 0 });
          }
          const run = await s3.tandem.until(id, atRest, SECONDS);
          expect(run, `seed ${seed}, ${done.at(-1)}: ${run.message}`).toMatchObject({ status: 'succeeded' });
          expect(await finalState(s3.tandem, id), `seed ${seed}, ${kind}: ${done.join(', ')}`).toEqual(wanted);
          if (inVain === MOST_IN_VAIN) throw new Error(`seed ${seed}: ${kind} never came to: ${open[0]?.step}`);
        }
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
    // A resume fetches, where there is a checkpoint; nothing else asks for a file.
    const resumes = step === 'a file is fetched';
    if (resumes) await untilCheckpointed(id);
    const running = await s3.tandem.run(id);
    // From here on the victim may be gone at any moment: nothing is asked of it.
    s3.proxy.inject([rule]);
    if (resumes) killTrainer(running);
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
    killTrainer(await s3.tandem.run(id));
  }

  async function untilCheckpointed(id: string): Promise<void> {
    while ((await s3.tandem.checkpoints(id)).length === 0 && !ended(await s3.tandem.run(id))) await sleep(25);
  }
});

function killTrainer(run: Run): void {
  try {
    process.kill(pidOf(run, 'trainer'), 'SIGKILL');
  } catch {
    // it has ended, and is as dead
  }
}

interface KillPlan {
  victim: Victim;
  step: string;
  when: 'before' | 'after';
  run: 'SFT' | 'GRPO LoRA';
}

/**
 * Steps, victims, and before or after the store has done it, each in turn: 7, 3 and 2 have no common divisor, so that any 7 kills hold every step and
 * every victim, and 42 every combination. The seed says where victims begin, and in which order the kills come.
 */
function killPlans(random: () => number): KillPlan[] {
  const names = Object.keys(steps);
  const [victim, moment] = [Math.floor(random() * 3), Math.floor(random() * 2)];
  const plans = Array.from({ length: kills }, (_, i) => ({
    step: names[i % names.length]!,
    victim: victims[(i + victim) % victims.length]!,
    when: (i + moment) % 2 === 0 ? ('before' as const) : ('after' as const),
    at: random(),
  }));
  // A run of GRPO takes longer: the last one alone, or half of many.
  return plans
    .sort((a, b) => a.at - b.at)
    .map(({ at: _, ...plan }, i) => ({ ...plan, run: i === kills - 1 || (full && i % 2 === 1) ? 'GRPO LoRA' : 'SFT' }));
}
