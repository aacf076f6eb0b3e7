import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import type { RolloutsProgress } from '../../contracts/record.ts';
import { createDataOrder } from '../data/data-order.ts';
import type { PromptExample } from '../data/readers/prompt-reader.ts';
import type { Environment, Rollout, RolloutGroup } from './collect-rollouts.ts';
import { createRolloutSchedule } from './rollout-schedule.ts';
import { createRolloutWorker, type RolloutWorker } from './rollout-worker.ts';

const SIZE = 8;
const rollout: Omit<Rollout, 'version'> = {
  ...{ completion: [1], logprobs: [0], text: 'x', truncated: false, reward: 1, rewards: {} },
  ...{ success: true, turns: 1, messages: 2 },
};
const open: RolloutWorker[] = [];
afterEach(() => {
  for (const worker of open.splice(0)) worker.close();
});

/** Two tasks a step, one step ahead. Each task is held until it is answered, by its index in the data. */
function start(
  given: {
    serverLost?: () => boolean;
    onChange?: () => void;
    reading?: () => Promise<unknown>;
    connectMs?: number;
  } = {},
) {
  const held = new Map<number, { resolve: (rollouts: Rollout[]) => void; reject: (error: unknown) => void }>();
  const stopping = new AbortController();
  const said: RolloutsProgress['state'][] = [];
  const givenUp: unknown[] = [];
  const environment: Environment = {
    async play({ prompt }, _count, _seed, signal) {
      if (given.connectMs !== undefined) await sleep(given.connectMs);
      return await new Promise((resolve, reject) => {
        held.set(prompt[0]!, { resolve, reject });
        signal.addEventListener('abort', () => {
          givenUp.push(prompt[0]);
          reject(signal.reason);
        });
      });
    },
  };
  const order = createDataOrder({ size: SIZE, seed: 1, shuffle: false });
  const params = { order, perStep: 2, concurrency: 9, maxStaleness: 1, pending: [] };
  const worker = createRolloutWorker({
    schedule: createRolloutSchedule<RolloutGroup>(params),
    environment,
    tasks: {
      size: SIZE,
      sha256: '',
      async take(indices) {
        await given.reading?.();
        return Array.from(
          indices,
          (i): PromptExample => ({ id: `t${i}`, prompt: [i], messages: 1, source: '', answer: '', columns: {} }),
        );
      },
    },
    ...{ rollouts: 1, seed: 1, serverLost: given.serverLost ?? (() => false), stopping: stopping.signal },
    onGroup: () => {},
    onChange({ state }) {
      said.push(state);
      given.onChange?.();
    },
    now: () => performance.now(),
  });
  open.push(worker);
  const answer = (index: number, version = 0) => held.get(index)!.resolve([{ ...rollout, version }]);
  const inFlight = (count: number) => vi.waitFor(() => expect(held.size).toBe(count));
  return { worker, held, answer, inFlight, stopping, said, givenUp };
}
const indices = (groups: readonly RolloutGroup[]) => groups.map(({ task }) => task.prompt[0]);
const first = { step: 0, position: { epoch: 0, offset: 0 }, stepsLeft: 4 };

test('a step gets the groups that are done first, while the others go on, and each change of what it does is told', async () => {
  const { worker, answer, inFlight, said } = start();
  worker.open(first);
  await inFlight(4);
  const taking = worker.take(0);
  answer(3);
  answer(1);
  expect(indices((await taking).groups)).toEqual([1, 3]);
  expect(worker.progress()).toEqual({ state: 'generating', in_flight: 2, buffered: 0 });
  answer(0);
  answer(2);
  await vi.waitFor(() =>
    expect(worker.progress()).toEqual({ state: 'waiting_for_trainer', in_flight: 0, buffered: 2 }),
  );
  await vi.waitFor(() => expect(said).toEqual(['generating', 'waiting_for_trainer']));
});

test('after a turn all that may be in flight is under way, however long its data took to read, by connections that are new', async () => {
  const { worker, held } = start({ reading: () => sleep(20), connectMs: 1 });
  worker.open(first);
  expect(held.size).toBe(0);
  await worker.turn();
  expect([...held.keys()]).toEqual([0, 1, 2, 3]);
});

test('a stop ends a turn that waits for data', async () => {
  const { worker, stopping } = start({ reading: () => new Promise(() => {}) });
  worker.open(first);
  const turn = worker.turn();
  await sleep(10);
  stopping.abort(new Error('stop'));
  await turn;
});

test('what goes wrong in a rollout while the trainer trains is thrown when it next waits, and ends the others', async () => {
  const { worker, held, inFlight, givenUp } = start();
  worker.open(first);
  await inFlight(4);
  held.get(2)!.reject(new Error('the reward failed'));
  await expect(worker.take(0)).rejects.toThrow('the reward failed');
  expect(givenUp).toHaveLength(4);
  await expect(worker.take(0)).rejects.toThrow('the reward failed');
});

test('a stop gives up what is in flight and ends the wait', async () => {
  const { worker, inFlight, stopping, givenUp } = start();
  worker.open(first);
  await inFlight(4);
  const taking = worker.take(0);
  stopping.abort(new Error('stop'));
  await expect(taking).rejects.toThrow('stop');
  expect(givenUp).toHaveLength(4);
});

test('groups that came too old are dropped, and their tasks begin again at once', async () => {
  const { worker, held, answer, inFlight } = start();
  worker.open({ ...first, step: 3 });
  await inFlight(4);
  const taking = worker.take(3);
  const before = held.get(0);
  answer(0, 1);
  await vi.waitFor(() => expect(held.get(0)).not.toBe(before));
  answer(1, 3);
  answer(2, 2);
  expect(await taking).toMatchObject({ dropped: 1 });
});

test('a server that is away is told apart from work', async () => {
  const { worker, inFlight } = start({ serverLost: () => true });
  worker.open(first);
  await inFlight(4);
  expect(worker.progress().state).toBe('waiting_for_server');
});

test('a change that cannot be told, as on a full disk, ends the rollouts as other failures do', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  try {
    let lost = false;
    let full = false;
    const onChange = () => {
      if (full) throw new Error('the disk is full');
    };
    const { worker, inFlight, givenUp } = start({ serverLost: () => lost, onChange });
    worker.open(first);
    await inFlight(4);
    const taking = expect(worker.take(0)).rejects.toThrow('the disk is full');
    lost = full = true;
    vi.advanceTimersByTime(1000);
    await taking;
    expect(givenUp).toHaveLength(4);
  } finally {
    vi.useRealTimers();
  }
});
