import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { PromptExample } from '../data/readers/prompt-reader.ts';
import { TrainerError } from '../failure.ts';
import { collectRollouts, type Environment, requireScored, taskSeed } from './collect-rollouts.ts';
import { TaskSkipped } from './rewards/reward.ts';

const tasks: PromptExample[] = Array.from({ length: 12 }, (_, i) => ({
  id: `t${i}`,
  prompt: [i],
  messages: 1,
  source: '',
  answer: '',
  columns: {},
}));
const never = new AbortController().signal;
setMaxListeners(0, never);

/** An environment that answers in an order of its own. */
function environment(delayOf: (task: number) => number, onPlay: (inFlight: number) => void = () => {}): Environment {
  let inFlight = 0;
  return {
    async play(task, count, seed, signal) {
      inFlight += 1;
      onPlay(inFlight);
      await sleep(delayOf(task.prompt[0]!), undefined, { signal });
      inFlight -= 1;
      return Array.from({ length: count }, (_, i) => ({
        ...{
          completion: [seed % 97, i],
          logprobs: [0, 0],
          text: '',
          truncated: false,
          reward: 0,
          rewards: {},
          success: false,
          turns: 1,
          messages: 2,
          version: 0,
        },
      }));
    },
  };
}

const collect = (played: Environment, more: Partial<Parameters<typeof collectRollouts>[0]> = {}) =>
  collectRollouts({
    ...{ environment: played, tasks, rollouts: 2, concurrency: 4, seed: 42, purpose: ['rollout', 3], signal: never },
    ...more,
  });

test('the result does not show in which order completions arrived, and is handed over in the order of the tasks', async () => {
  const handed: string[] = [];
  const slowFirst = await collect(
    environment((task) => (task % 4 === 0 ? 20 : 1)),
    {
      onGroup: ({ task }) => handed.push(task.id),
    },
  );
  const slowLast = await collect(
    environment((task) => (task % 4 === 3 ? 20 : 1)),
    { concurrency: 12 },
  );
  expect(slowFirst).toEqual(slowLast);
  expect(handed).toEqual(tasks.map(({ id }) => id));
});

test('at most `concurrency` tasks are in flight', async () => {
  let most = 0;
  const watched = environment(
    () => 2,
    (inFlight) => {
      most = Math.max(most, inFlight);
    },
  );
  await collect(watched, { concurrency: 3 });
  expect(most).toBe(3);
});

test('seeds differ between tasks, steps and runs, and are integers that JSON keeps', () => {
  const seeds = [taskSeed(42, ['rollout', 3], 0), taskSeed(42, ['rollout', 3], 1), taskSeed(42, ['rollout', 4], 0)];
  seeds.push(taskSeed(43, ['rollout', 3], 0));
  expect(new Set(seeds).size).toBe(4);
  expect(seeds.every(Number.isSafeInteger)).toBe(true);
  expect(taskSeed(42, ['rollout', 3], 0)).toBe(seeds[0]);
});

test('tasks that cannot be scored are left out, unless that is all of them', async () => {
  const cause = new TrainerError('reward_error', 'the reward f (task t0): threw', 'Mend it.');
  const inner = environment(() => 0);
  const refusing = (refused: (task: number) => boolean): Environment => ({
    play: async (task, ...more) => {
      if (refused(task.prompt[0]!)) throw new TaskSkipped(cause);
      return inner.play(task, ...more);
    },
  });
  const groups = await collect(refusing((task) => task % 3 === 0));
  expect(groups.filter(({ skipped }) => skipped === cause)).toHaveLength(4);
  expect(requireScored(groups).map(({ task }) => task.id)).toEqual(['t1', 't2', 't4', 't5', 't7', 't8', 't10', 't11']);

  const none = await collect(refusing(() => true));
  expect(() => requireScored(none)).toThrow(
    'All 12 tasks had to be left out; the first: the reward f (task t0): threw',
  );
});

test('stopping gives up what is in flight', async () => {
  const stop = new AbortController();
  const collecting = collect(
    environment(() => 10_000),
    { signal: stop.signal },
  );
  setTimeout(() => stop.abort(new Error('stop')), 5);
  await expect(collecting).rejects.toThrow();
});
