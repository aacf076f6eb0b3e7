import { describe, expect, it } from 'vitest';
import { uniform } from '../../model/random.ts';
import { createDataOrder, type DataPosition } from '../data/data-order.ts';
import { createRolloutSchedule, type IssuedTask } from './rollout-schedule.ts';

const SIZE = 11;
const PER_STEP = 4;
const order = createDataOrder({ size: SIZE, seed: 3, shuffle: true });
const start: DataPosition = { epoch: 0, offset: 0 };
/** Steps of 4, 4 and 3 tasks in each epoch. */
const next = (position: DataPosition) => order.take(position, PER_STEP).next;

const schedule = (given: { maxStaleness: number; concurrency?: number; pending?: readonly number[] }) =>
  createRolloutSchedule<number>({ order, perStep: PER_STEP, concurrency: 100, pending: [], ...given });
const places = (tasks: readonly IssuedTask[]) => tasks.map(({ place }) => place);

describe('a schedule of rollouts', () => {
  it('gives out the tasks of the open step and of as many after it as may be stale, and no more of them than the run has steps', () => {
    const ahead = schedule({ maxStaleness: 1 });
    ahead.open({ step: 0, position: start, stepsLeft: 9 });
    const tasks = ahead.issue();
    expect(places(tasks)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(tasks.map(({ index }) => index)).toEqual([...order.take(start, 8).indices]);
    expect(ahead.issue()).toEqual([]);
    const last = schedule({ maxStaleness: 5 });
    last.open({ step: 8, position: { epoch: 2, offset: 8 }, stepsLeft: 1 });
    expect(places(last.issue())).toEqual([30, 31, 32]);
  });

  it('keeps to the concurrency, and begins with the next as one is done', () => {
    const ahead = schedule({ maxStaleness: 1, concurrency: 2 });
    ahead.open({ step: 0, position: start, stepsLeft: 9 });
    const [first] = ahead.issue();
    expect(ahead.issue()).toEqual([]);
    ahead.finished(first!, 0, 0);
    expect(places(ahead.issue())).toEqual([2]);
    expect(ahead.counts()).toEqual({ inFlight: 2, buffered: 1 });
  });

  it('takes what is done first, and waits for a task that takes long only at the last step that may use it', () => {
    const ahead = schedule({ maxStaleness: 1 });
    ahead.open({ step: 0, position: start, stepsLeft: 9 });
    const [long, ...others] = ahead.issue();
    for (const task of others.toReversed()) ahead.finished(task, task.place, 0);
    expect(ahead.take(0)?.groups).toEqual([4, 5, 6, 7]);
    ahead.learned();
    ahead.open({ step: 1, position: next(start), stepsLeft: 8 });
    for (const task of ahead.issue()) ahead.finished(task, task.place, 1);
    expect(ahead.take(1)).toBeNull();
    ahead.finished(long!, 0, 0);
    expect(ahead.take(1)?.groups).toEqual([0, 1, 2, 3]);
  });

  it('drops what is too old all the same, counts it, and has it played again before anything else', () => {
    const ahead = schedule({ maxStaleness: 1 });
    ahead.open({ step: 5, position: start, stepsLeft: 9 });
    const tasks = ahead.issue();
    for (const task of tasks) ahead.finished(task, task.place, task.place < 6 ? 2 : 5);
    expect(ahead.take(5)).toBeNull();
    const again = ahead.issue();
    expect(places(again)).toEqual([0, 1, 2, 3, 4, 5]);
    for (const task of again.slice(0, 2)) ahead.finished(task, task.place, 5);
    expect(ahead.pending()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    // Given out at step 5, they may wait until step 6.
    expect(ahead.take(5)).toEqual({ groups: [0, 1, 6, 7], dropped: 6 });
  });

  it('keeps what was taken pending until it is learned', () => {
    const ahead = schedule({ maxStaleness: 0 });
    ahead.open({ step: 0, position: start, stepsLeft: 2 });
    for (const task of ahead.issue()) ahead.finished(task, task.place, 0);
    ahead.take(0);
    expect(ahead.pending()).toEqual([0, 1, 2, 3]);
    ahead.learned();
    expect(ahead.pending()).toEqual([]);
  });

  it.each(
    Array.from({ length: 60 }, (_, seed) => seed),
  )('learns every task once and none too late, through kills and other bounds (%i)', (seed) => {
    const random = randomsOf(seed);
    const saved: Saved = { step: 0, version: 0, position: start, pending: [], learned: [] };
    while (saved.step < STEPS) live(saved, random);
    expect(saved.learned.toSorted((a, b) => a - b)).toEqual(Array.from({ length: (STEPS * 11) / 3 }, (_, i) => i));
    expect(saved.pending).toEqual([]);
  });
});

const STEPS = 12;

interface Saved {
  step: number;
  version: number;
  position: DataPosition;
  pending: readonly number[];
  readonly learned: number[];
}

/** From what was saved on, with another bound and concurrency, until it is killed at any moment. What happens is saved at each step. */
function live(saved: Saved, random: (below: number) => number): void {
  const [maxStaleness, concurrency] = [random(4), 1 + random(9)];
  const versions = new Map<number, number>();
  const params = { order, perStep: PER_STEP, concurrency, maxStaleness, pending: saved.pending };
  const ahead = createRolloutSchedule<number>(params);
  const inFlight: IssuedTask[] = [];
  while (saved.step < STEPS) {
    const { step, position, version } = saved;
    ahead.open({ step, position, stepsLeft: STEPS - step });
    let taken = ahead.take(version);
    for (; taken === null; taken = ahead.take(version)) {
      if (random(60) === 0) return;
      for (const task of ahead.issue()) {
        versions.set(task.place, version);
        inFlight.push(task);
      }
      expect(inFlight.length).toBeLessThanOrEqual(concurrency);
      // One that took long is done as rarely as there are others.
      const [done] = inFlight.splice(random(inFlight.length), 1);
      ahead.finished(done!, done!.place, versions.get(done!.place)!);
    }
    if (random(20) === 0) return;
    expect(taken.dropped).toBe(0);
    expect(taken.groups).toHaveLength(order.take(position, PER_STEP).indices.length);
    for (const place of taken.groups) expect(version - versions.get(place)!).toBeLessThanOrEqual(maxStaleness);
    ahead.learned();
    saved.learned.push(...taken.groups);
    saved.pending = ahead.pending();
    saved.position = next(position);
    saved.step += 1;
    // Steps in which all groups agree make no new policy.
    saved.version += random(4) === 0 ? 0 : 1;
  }
}

function randomsOf(seed: number): (below: number) => number {
  let drawn = 0;
  return (below) => Math.floor(uniform(seed, drawn++) * below);
}
