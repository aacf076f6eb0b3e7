import { describe, expect, it } from 'vitest';
import { randomNumbers } from '../placement/gpu-map.fixtures.ts';
import { type GpuSet, membersOf, setOf, sizeOf } from '../placement/gpu-sets.ts';
import { gpusOf } from '../placement/shape.ts';
import { chooseLowest, holding, MINUTE, queueState, waiting } from './gpu-queue.fixtures.ts';
import {
  defaultPolicy,
  type GpuQueueState,
  type HoldingRun,
  type Quota,
  type Reservation,
  type WaitingRun,
} from './gpu-queue.ts';
import { scheduleGpus } from './schedule-gpus.ts';

const quotas: readonly Quota[] = [
  { label: 'team', value: 'a', gpus: 4 },
  { label: 'project', value: null, gpus: 5 },
];
const setsOf = (runs: readonly { gpus: GpuSet }[]) => runs.reduce((set, { gpus }) => set | gpus, 0);

/** What the runs of each quota hold, by plain addition. */
function overdrawn(runs: readonly HoldingRun[]): string[] {
  const held = new Map<string, number>();
  for (const { labels, gpus } of runs) {
    for (const [label, value] of Object.entries(labels)) {
      held.set(`${label}=${value}`, (held.get(`${label}=${value}`) ?? 0) + sizeOf(gpus));
    }
  }
  const limitOf = (key: string) => (key === 'team=a' ? 4 : key.startsWith('project=') ? 5 : Number.POSITIVE_INFINITY);
  return [...held].filter(([key, count]) => count > limitOf(key)).map(([key]) => key);
}

function drawLabels(below: (count: number) => number): Record<string, string> {
  return {
    ...(below(2) === 0 ? { team: 'ab'[below(2)]! } : {}),
    ...(below(3) === 0 ? { project: 'xy'[below(2)]! } : {}),
  };
}

/** A queue in some state, from a seed. */
function drawState(seed: number): GpuQueueState {
  const random = randomNumbers(seed);
  const below = (count: number) => Math.floor(random() * count);
  const usable = below(4) === 0 ? 0b0111_1111 : 0b1111_1111;
  const spare = membersOf(usable).sort(() => random() - 0.5);
  const held: HoldingRun[] = [];
  while (below(5) > 0 && spare.length > 0) {
    held.push(
      holding(`h${held.length}`, spare.splice(0, 1 + below(3)), {
        priority: below(100),
        startedAt: -below(30) * MINUTE,
        endsAt: below(6) === 0 ? null : (below(60) - 5) * MINUTE,
        preemptible: below(3) > 0,
        stopping: below(8) === 0,
        labels: drawLabels(below),
      }),
    );
    if (overdrawn(held).length > 0) spare.push(...membersOf(held.pop()!.gpus));
  }
  const queue = Array.from({ length: below(14) }, (_, i) =>
    waiting(`w${i}`, below(5) === 0 ? [below(4), 4 + below(4)] : 1 + below(8), {
      priority: below(100),
      queuedAt: -below(600) * MINUTE,
      notBefore: below(8) === 0 ? below(20) * MINUTE : null,
      estimateMs: below(4) === 0 ? null : (1 + below(60)) * MINUTE,
      labels: drawLabels(below),
    }),
  );
  return queueState({ usable, holding: held, waiting: queue, quotas });
}

/** When a run could start if nothing else ever did, by going from one end to the next, with runs past their estimate ending now; null for never. */
function earliest(run: WaitingRun, state: GpuQueueState, held: readonly HoldingRun[]): number | null {
  const endOf = ({ stopping, endsAt }: HoldingRun) =>
    stopping
      ? state.now + defaultPolicy.stopMs
      : endsAt === null
        ? Number.POSITIVE_INFINITY
        : Math.max(endsAt, state.now);
  const times = [state.now, run.notBefore ?? state.now, ...held.map(endOf)]
    .filter(Number.isFinite)
    .sort((a, b) => a - b);
  for (const time of times) {
    const left = held.filter((each) => endOf(each) > time);
    const own = {
      ...holding(run.id, []),
      gpus: setOf(Array.from({ length: gpusOf(run.shape) }, (_, i) => i)),
      labels: run.labels,
    };
    const fits = chooseLowest(run.shape, state.usable & ~setsOf(left)) !== null;
    if (time >= (run.notBefore ?? time) && fits && overdrawn([...left, own]).length === 0) return time;
  }
  return null;
}

describe('a round, whatever the state', () => {
  it('decides for every run once, starts only on free GPUs, exceeds no quota and changes nothing', () => {
    for (let seed = 1; seed <= 3000; seed++) {
      const state = drawState(seed);
      const before = JSON.stringify(state);
      const round = scheduleGpus(state);
      expect(JSON.stringify(state)).toBe(before);
      const decided = [...round.starts, ...round.waits].map(({ run }) => run);
      expect(decided.sort()).toEqual(state.waiting.map(({ id }) => id).sort());
      const after = [...state.holding, ...started(state)];
      expect(setsOf(after) & ~state.usable, `seed ${seed}`).toBe(0);
      expect(sizeOf(setsOf(after))).toBe(after.reduce((sum, { gpus }) => sum + sizeOf(gpus), 0));
      expect(overdrawn(after), `seed ${seed}`).toEqual([]);
      for (const { run } of round.starts)
        expect(state.waiting.find(({ id }) => id === run)!.notBefore ?? 0).toBeLessThanOrEqual(0);
    }
  });

  it('never delays the first run that waits by what it starts past it', () => {
    let passed = 0;
    for (let seed = 1; seed <= 6000; seed++) {
      const state = drawState(seed);
      const { reservation, starts, preemptions } = scheduleGpus(state);
      if (reservation === null) continue;
      const head = state.waiting.find(({ id }) => id === reservation.run)!;
      const asked = new Set(preemptions.map(({ run }) => run));
      const held = state.holding.map((run) => (asked.has(run.id) ? { ...run, stopping: true } : run));
      const past = new Set(starts.flatMap(({ run, past }) => (past === null ? [] : [run])));
      const runs = started(state);
      const without = earliest(head, state, [...held, ...runs.filter(({ id }) => !past.has(id))]);
      const beside = earliest(head, state, [...held, ...runs]);
      if (without === null) expect(past.size, `seed ${seed}`).toBe(0);
      else expect(beside ?? Number.POSITIVE_INFINITY, `seed ${seed}`).toBeLessThanOrEqual(without);
      passed += past.size;
    }
    expect(passed).toBeGreaterThan(500);
  });

  it('keeps for the first run what it can have at the reserved time, and promises no time too early', () => {
    for (let seed = 1; seed <= 2000; seed++) {
      const state = drawState(seed);
      const { reservation, starts, preemptions } = scheduleGpus(state);
      if (reservation?.at == null || preemptions.length > 0) continue;
      const head = state.waiting.find(({ id }) => id === reservation.run)!;
      const before = new Set(starts.flatMap(({ run, past }) => (past === null ? [run] : [])));
      const held = [...state.holding, ...started(state).filter(({ id }) => before.has(id))];
      expect(reservation.at, `seed ${seed}`).toBe(earliest(head, state, held));
      expect(sizeOf(reservation.gpus)).toBe(gpusOf(head.shape));
    }
  });

  it('preempts only what is less important, and only if it then fits', () => {
    let asked = 0;
    for (let seed = 1; seed <= 3000; seed++) {
      const state = drawState(seed);
      const { preemptions, starts } = scheduleGpus(state);
      const victims = preemptions.map(({ run }) => state.holding.find(({ id }) => id === run)!);
      if (victims.length === 0) continue;
      asked += 1;
      const head = state.waiting.find(({ id }) => id === preemptions[0]!.for)!;
      const early = started(state).filter(({ id }) => starts.some(({ run, past }) => run === id && past === null));
      const staying = state.holding.filter((run) => !run.stopping);
      const freeWithout = (gone: readonly HoldingRun[]) =>
        state.usable & ~setsOf([...early, ...staying.filter((run) => !gone.includes(run))]);
      expect(victims.every(({ priority, preemptible }) => preemptible && priority < head.priority)).toBe(true);
      expect(chooseLowest(head.shape, freeWithout(victims)), `seed ${seed}`).not.toBeNull();
      for (const spared of victims) {
        const others = victims.filter((each) => each !== spared);
        expect(chooseLowest(head.shape, freeWithout(others)), `seed ${seed}`).toBeNull();
      }
    }
    expect(asked).toBeGreaterThan(100);
  });
});

describe('over days', () => {
  /** Unimportant runs that need the whole host, among a stream of small, important ones that nearly fills it. */
  it('no run starves, and a reserved time is kept unless somebody more important comes', () => {
    const policy = { ...defaultPolicy, msPerPoint: MINUTE };
    for (let seed = 1; seed <= 8; seed++) {
      const random = randomNumbers(seed);
      const below = (count: number) => Math.floor(random() * count);
      let [held, queue]: [HoldingRun[], WaitingRun[]] = [[], []];
      const ends = new Map<string, number>();
      const waits: number[] = [];
      let promised = null as Reservation | null;
      for (let now = 0, n = 0; now < 3000 * MINUTE; now += MINUTE) {
        held = held.filter(({ id }) => ends.get(id)! > now);
        if (now < 2000 * MINUTE && below(100) < 45) {
          const large = below(40) === 0;
          const estimateMs = (5 + below(10)) * MINUTE;
          const change = {
            priority: large ? 0 : 100,
            queuedAt: now,
            estimateMs,
            labels: large ? {} : drawLabels(below),
          };
          queue.push(waiting(`r${n++}`, large ? 8 : 1 + below(3), change));
        }
        const state = queueState({ now, holding: held, waiting: queue, quotas, policy });
        const { reservation, starts } = scheduleGpus(state);
        const begun = started(state);
        held = [...held, ...begun];
        expect(overdrawn(held)).toEqual([]);
        for (const { id, endsAt } of begun) {
          // Estimates are upper bounds here: some runs end early.
          ends.set(id, below(2) === 0 ? endsAt! : now + Math.ceil((endsAt! - now) / 2 / MINUTE) * MINUTE);
          const run = queue.find((each) => each.id === id)!;
          if (promised?.run === id) expect(now, `seed ${seed}`).toBeLessThanOrEqual(promised.at!);
          if (gpusOf(run.shape) === 8) waits.push(now - run.queuedAt);
        }
        // A promise lasts until somebody more important comes.
        const outranked = starts.some(({ run, past }) => past === null && run !== promised?.run);
        if (outranked || reservation?.run !== promised?.run) promised = reservation;
        const gone = new Set(begun.map(({ id }) => id));
        queue = queue.filter(({ id }) => !gone.has(id));
      }
      expect(queue).toEqual([]);
      expect(waits.length).toBeGreaterThan(10);
      expect(Math.max(...waits), `seed ${seed}`).toBeLessThan(400 * MINUTE);
    }
  });
});

/** The runs that a round starts, as they hold GPUs from then on. */
function started(state: GpuQueueState): HoldingRun[] {
  return scheduleGpus(state).starts.map(({ run, gpus }) => {
    const { priority, labels, estimateMs } = state.waiting.find(({ id }) => id === run)!;
    const endsAt = estimateMs === null ? null : state.now + estimateMs;
    return holding(run, membersOf(gpus), { priority, labels, endsAt, startedAt: state.now });
  });
}
