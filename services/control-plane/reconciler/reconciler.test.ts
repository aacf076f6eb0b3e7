import { expect, it } from 'vitest';
import { createLogger } from '../../platform/logger.ts';
import type { Limits, Observation } from './observation.ts';
import { nothingQueued } from './observe-queue.ts';
import { createReconciler } from './reconciler.ts';

const limits: Limits = {
  ...{ startTimeoutMs: 1, stopDeadlineMs: 1, trainerGraceMs: 1, inferenceGraceMs: 1 },
  ...{ inferenceRestarts: 1, inferenceWindowMs: 1 },
};
const id = 'run-00000001';
const queued: Observation = {
  ...{ now: 0, since: 0, active: [], leftovers: [], filesDue: [], modelsDue: [] },
  queue: { ...nothingQueued, cpuStarts: [id] },
};

it('says once that a step of a run fails again and again, goes on trying, and says it anew after a success', async () => {
  const told: string[] = [];
  let now = 0;
  let broken = true;
  const reconciler = createReconciler({
    observe: async () => queued,
    execute: async () => {
      if (broken) throw new Error('spawn /bin/sh EAGAIN');
    },
    limits,
    resyncMs: 1000,
    now: () => now,
    log: createLogger({ level: 'error', terminal: null }),
    onStuck: (run, message) => told.push(`${run}: ${message}`),
  });
  const rounds = async (count: number) => {
    for (let i = 0; i < count; i += 1) {
      now += 100_000;
      await reconciler.round();
    }
  };
  await rounds(2);
  expect(told).toEqual([]);
  await rounds(5);
  expect(told).toEqual([
    `${id}: Step grant fails again and again, and is tried on: spawn /bin/sh EAGAIN. Look at the control plane's log (TANDEM_HOME/logs).`,
  ]);
  broken = false;
  await rounds(1);
  broken = true;
  await rounds(3);
  expect(told).toHaveLength(2);
});

it('tries what fails in the background again with a growing pause, and says once that it does not get on', async () => {
  const told: string[] = [];
  let tries = 0;
  let now = 0;
  const reconciler = createReconciler({
    observe: async () => ({ ...queued, queue: nothingQueued, filesDue: [id] }),
    execute: async () => {
      tries += 1;
      throw new Error('the store is away');
    },
    limits,
    resyncMs: 1000,
    now: () => now,
    log: createLogger({ level: 'error', terminal: null }),
    onStuck: (run, message) => told.push(`${run}: ${message}`),
  });
  const triesAfter = async (ms: number) => {
    now += ms;
    // The first begins it, and lets it come to its end.
    await reconciler.round();
    await new Promise((resolve) => setImmediate(resolve));
    return tries;
  };
  expect(await triesAfter(0)).toBe(1);
  expect(await triesAfter(999)).toBe(1);
  expect(await triesAfter(1)).toBe(2);
  expect(await triesAfter(1999)).toBe(2);
  expect(await triesAfter(1)).toBe(3);
  expect(told).toEqual([expect.stringContaining(`${id}: Step finishFiles fails again and again`)]);
});
