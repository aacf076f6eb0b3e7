import { setTimeout as sleep } from 'node:timers/promises';
import type { Checkpoint } from '../../services/contracts/checkpoint.ts';
import { type Bucket, expectSoundBucket } from './bucket.ts';
import type { Tandem } from './tandem.ts';

export interface CheckpointWatch {
  /** `latest` of this run may go back once: somebody resumes it from an older checkpoint. */
  allowBack(run: string): void;
  /** Stops looking, and throws what was seen that must never be. Returns how often it looked. */
  stop(): Promise<number>;
}

const EVERY_MS = 200;

/**
 * Looks again and again, whatever else is killed meanwhile: no manifest points at a missing file or one of another size, the best of a run is
 * there once there was one, and `latest` of a run never goes back by itself.
 */
export function watchCheckpoints(tandem: Tandem, bucket: Bucket, runs: () => readonly string[]): CheckpointWatch {
  const wrong: string[] = [];
  const latest = new Map<string, Checkpoint>();
  const best = new Map<string, Checkpoint>();
  const back = new Set<string>();
  let looks = 0;
  let stopped = false;

  async function look(): Promise<void> {
    // A store that is down or killed is seen again when it is back.
    await expectSoundBucket(bucket, { hash: false }).catch((error: Error) => {
      if (error.name === 'AssertionError') wrong.push(error.message);
    });
    for (const run of runs()) {
      const checkpoints = await tandem.checkpoints(run).catch(() => null);
      if (checkpoints === null) continue;
      looks += 1;
      lookAt(run, checkpoints);
    }
  }

  function lookAt(run: string, checkpoints: readonly Checkpoint[]): void {
    const named = (alias: 'latest' | 'best') => checkpoints.find(({ aliases }) => aliases.includes(alias));
    for (const [alias, before] of [
      ['latest', latest],
      ['best', best],
    ] as const) {
      const old = before.get(run);
      const now = named(alias);
      const goesBack = old !== undefined && (now === undefined || now.step < old.step);
      if (goesBack && !back.delete(run))
        wrong.push(`${alias} of ${run} went from ${nameOf(old)} to ${now ? nameOf(now) : 'nothing'}`);
      if (now) before.set(run, now);
    }
  }

  const looking = (async () => {
    for (; !stopped; await sleep(EVERY_MS)) await look();
  })();
  return {
    allowBack: (run) => void back.add(run),
    async stop() {
      stopped = true;
      await looking;
      if (wrong.length > 0) throw new Error([...new Set(wrong)].join('\n'));
      return looks;
    },
  };
}

const nameOf = ({ attempt, step }: Checkpoint): string => `a${attempt}/checkpoint-${step}`;
