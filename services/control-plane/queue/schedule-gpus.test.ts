import { describe, expect, it } from 'vitest';
import { setOf } from '../placement/gpu-sets.ts';
import { explainWaits } from './explain-waits.ts';
import { holding, MINUTE, queueState, waiting } from './gpu-queue.fixtures.ts';
import type { GpuQueueState } from './gpu-queue.ts';
import { scheduleGpus } from './schedule-gpus.ts';

const decide = (change: Partial<GpuQueueState>) => scheduleGpus(queueState(change));
const started = (change: Partial<GpuQueueState>) => decide(change).starts.map(({ run }) => run);
function whyOf(change: Partial<GpuQueueState>): Record<string, string> {
  const state = queueState(change);
  const round = scheduleGpus(state);
  const why = explainWaits(round, state);
  return Object.fromEntries(round.waits.map(({ run }, i) => [run, why[i]!]));
}
const busyUntil = (minutes: number | null, gpus: number[], change = {}) =>
  holding(`busy-${gpus.join('')}`, gpus, { endsAt: minutes === null ? null : minutes * MINUTE, ...change });

describe('the order', () => {
  it('is priority, then who waits longer, and waiting makes up for priority', () => {
    const queue = [
      waiting('late', 2, { queuedAt: -1 * MINUTE }),
      waiting('early', 2, { queuedAt: -5 * MINUTE }),
      waiting('urgent', 2, { priority: 60 }),
      waiting('aged', 2, { priority: 40, queuedAt: -300 * MINUTE }),
    ];
    expect(started({ waiting: queue })).toEqual(['aged', 'urgent', 'early', 'late']);
  });
});

describe('a run that has given its GPUs up', () => {
  const older = { queuedAt: -900 * MINUTE };

  it('comes right behind the one it gave them to, however long it waits, and before all that came later', () => {
    const queue = [
      waiting('humble', 8, { ...older, priority: 40, after: 'urgent' }),
      waiting('urgent', 8, { priority: 90 }),
      waiting('last', 8, { priority: 60 }),
    ];
    const { starts, waits } = decide({ waiting: queue });
    expect([...starts, ...waits].map(({ run }) => run)).toEqual(['urgent', 'humble', 'last']);
  });

  it('takes its own place again when that one no longer waits', () => {
    const queue = [waiting('humble', 8, { ...older, after: 'gone' }), waiting('other', 8, { priority: 90 })];
    expect(started({ waiting: queue })).toEqual(['humble']);
  });

  it('is not lost when two wait for each other', () => {
    const queue = [waiting('a', 1, { after: 'b' }), waiting('b', 1, { after: 'a' })];
    expect(started({ waiting: queue }).sort()).toEqual(['a', 'b']);
  });
});

describe('the reservation of the first run that waits', () => {
  const held = [busyUntil(30, [0, 1]), busyUntil(60, [2, 3, 4]), busyUntil(null, [5])];

  it('is when enough runs have ended, by their estimates', () => {
    expect(decide({ holding: held, waiting: [waiting('head', 4)] }).reservation).toEqual({
      run: 'head',
      at: 30 * MINUTE,
      gpus: setOf([0, 1, 6, 7]),
    });
    expect(decide({ holding: held, waiting: [waiting('head', 7)] }).reservation?.at).toBe(60 * MINUTE);
  });

  it('has no time where a run that it needs tells no end; nothing is started behind it then', () => {
    const queue = [waiting('head', 8), waiting('small', 1, { queuedAt: 1, estimateMs: MINUTE })];
    const round = decide({ holding: held, waiting: queue });
    expect(round).toMatchObject({ starts: [], reservation: { at: null, gpus: 0 } });
    expect(whyOf({ holding: held, waiting: queue })).toEqual({
      head: 'needs 8, free 2; first in line, when is not known: a run that holds GPUs tells no end',
      small: 'needs 1, free 2, but kept; behind head, whose start nobody knows',
    });
  });

  it('lets runs past that end before it, and runs that leave its GPUs alone', () => {
    const queue = [
      waiting('head', 4),
      waiting('long', 1, { queuedAt: 1, estimateMs: 31 * MINUTE }),
      waiting('short', 1, { queuedAt: 2, estimateMs: 30 * MINUTE }),
      waiting('shorter', 1, { queuedAt: 3, estimateMs: 10 * MINUTE }),
    ];
    expect(decide({ holding: held, waiting: queue }).starts).toEqual([
      { run: 'short', gpus: setOf([6]), past: 'head' },
      { run: 'shorter', gpus: setOf([7]), past: 'head' },
    ]);
    const endless = waiting('endless', 1, { queuedAt: 1 });
    const later = [busyUntil(30, [0, 1, 2, 3]), busyUntil(null, [4, 5])];
    expect(decide({ holding: later, waiting: [waiting('head', 4), endless] }).starts).toEqual([
      { run: 'endless', gpus: setOf([6]), past: 'head' },
    ]);
    expect(started({ holding: later, waiting: [waiting('head', 6), endless] })).toEqual([]);
  });

  it('holds for a run that waits out its backoff, until then', () => {
    const queue = [
      waiting('failed', 6, { notBefore: 10 * MINUTE }),
      waiting('short', 4, { queuedAt: 1, estimateMs: 10 * MINUTE }),
      waiting('long', 4, { queuedAt: 2, estimateMs: 11 * MINUTE }),
    ];
    expect(started({ waiting: queue })).toEqual(['short']);
    expect(whyOf({ waiting: queue })).toEqual({
      failed: 'restarts in 10 min after a failure; first in line, in about 10 min',
      long: 'needs 4, free 4, but kept; behind failed, which starts in about 10 min',
    });
  });

  it('is not given to a run that no end would make room for', () => {
    const change = { usable: 0b0111_1111, quarantined: 1, waiting: [waiting('whole', 8), waiting('small', 2)] };
    expect(started(change)).toEqual(['small']);
    expect(whyOf(change)).toEqual({ whole: 'needs 8, 7 usable, 1 quarantined; waits for GPUs to come back' });
  });

  it('says what it needs, what is free and about when', () => {
    const change = {
      usable: 0b1110_1111,
      quarantined: 1,
      holding: [busyUntil(150, [0, 1, 2]), busyUntil(null, [3, 5])],
    };
    expect(whyOf({ ...change, waiting: [waiting('head', 4), waiting('next', 4, { queuedAt: 1 })] })).toEqual({
      head: 'needs 4, free 2, 1 quarantined; first in line, in about 3 h',
      next: 'needs 4, free 2, 1 quarantined; behind head, which starts in about 3 h',
    });
  });
});

describe('quotas', () => {
  const quotas = [{ label: 'team', value: 'a', gpus: 4 }];
  const team = { labels: { team: 'a' } };

  it('hold up a run without keeping others waiting, but none of the same label pass it', () => {
    const change = {
      quotas,
      holding: [holding('mine', [0, 1], team)],
      waiting: [
        waiting('big', 4, team),
        waiting('little', 1, { ...team, queuedAt: 1 }),
        waiting('other', 6, { queuedAt: 2 }),
      ],
    };
    expect(started(change)).toEqual(['other']);
    expect(whyOf(change)).toEqual({
      big: 'needs 4; team=a may hold 4 at a time and holds 2',
      little: 'needs 1; team=a may hold 4 at a time and holds 2, an earlier run waits for them',
    });
  });

  it('of one value count in place of those for each value', () => {
    const both = [
      { label: 'team', value: 'a', gpus: 4 },
      { label: 'team', value: null, gpus: 2 },
    ];
    const queue = ['a', 'b'].map((name) => waiting(name, 4, { labels: { team: name } }));
    expect(started({ quotas: both, waiting: queue })).toEqual(['a']);
    expect(whyOf({ quotas: both, waiting: queue })).toEqual({
      b: 'needs 4; each team may hold 2 at a time: it can never start',
    });
  });

  it('count each value of a label alike where they name none', () => {
    const each = [{ label: 'team', value: null, gpus: 2 }];
    const queue = ['a', 'a', 'b'].map((name, i) => waiting(`${name}${i}`, 2, { queuedAt: i, labels: { team: name } }));
    expect(started({ quotas: each, waiting: queue })).toEqual(['a0', 'b2']);
  });

  it('never keep others waiting for a run that is larger than its quota', () => {
    const change = { quotas, waiting: [waiting('huge', 6, team), waiting('fine', 4, { ...team, queuedAt: 1 })] };
    expect(started(change)).toEqual(['fine']);
    expect(whyOf(change)).toEqual({ huge: 'needs 6; team=a may hold 4 at a time: it can never start' });
  });

  it('keep the share of the first run from those that pass it', () => {
    const change = {
      quotas,
      holding: [busyUntil(30, [0, 1, 2, 3, 4])],
      waiting: [
        waiting('head', 4, team),
        waiting('long', 1, { ...team, queuedAt: 1, estimateMs: 60 * MINUTE }),
        waiting('short', 1, { ...team, queuedAt: 2, estimateMs: 20 * MINUTE }),
      ],
    };
    expect(started(change)).toEqual(['short']);
  });
});

describe('preemption', () => {
  const low = (id: string, gpus: number[], change = {}) => holding(id, gpus, { priority: 10, ...change });
  const urgent = waiting('urgent', 4, { priority: 90 });
  const preempted = (change: Partial<GpuQueueState>) => decide(change).preemptions.map(({ run }) => run);

  it('asks the least important first, of those the newest, and no more than it takes', () => {
    const held = [
      low('old', [0, 1], { startedAt: -100 * MINUTE }),
      low('new', [2, 3], { startedAt: -20 * MINUTE }),
      low('least', [4, 5], { priority: 5 }),
      holding('equal', [6, 7], { priority: 90 }),
    ];
    expect(preempted({ holding: held, waiting: [urgent] })).toEqual(['least', 'new']);
    expect(
      preempted({
        holding: [low('one', [0]), low('four', [1, 2, 3, 4]), held[3]!],
        waiting: [{ ...urgent, queuedAt: 1 }],
      }),
    ).toEqual(['four']);
  });

  it('spares runs that just began, that may not be preempted, and all where it would not help', () => {
    const rest = holding('rest', [4, 5, 6, 7], { priority: 90 });
    const held = [low('young', [0, 1], { startedAt: -MINUTE }), low('firm', [2, 3], { preemptible: false }), rest];
    expect(preempted({ holding: held, waiting: [urgent] })).toEqual([]);
    expect(preempted({ holding: [low('half', [0, 1]), held[1]!, rest], waiting: [urgent] })).toEqual([]);
  });

  it('asks nobody while those that are stopping, or about to end, make room', () => {
    const others = low('others', [4, 5, 6, 7]);
    expect(preempted({ holding: [low('going', [0, 1, 2, 3], { stopping: true }), others], waiting: [urgent] })).toEqual(
      [],
    );
    expect(
      preempted({ holding: [low('ending', [0, 1, 2, 3], { endsAt: MINUTE }), others], waiting: [urgent] }),
    ).toEqual([]);
  });

  it('keeps the GPUs of those that stop for the run that asked', () => {
    const change = {
      holding: [low('victim', [0, 1, 2]), holding('firm', [3, 4, 5, 6], { preemptible: false })],
      waiting: [urgent, waiting('sneaky', 1, { queuedAt: 1 })],
    };
    expect(started(change)).toEqual([]);
    expect(whyOf(change)).toEqual({
      urgent: 'needs 4, free 1; first in line, victim asked to save and stop, in about 2 min',
      sneaky: 'needs 1, free 1, but kept; behind urgent, which starts in about 2 min',
    });
  });

  it('does not preempt for age: two that take turns in waiting would preempt each other for ever', () => {
    const aged = waiting('aged', 8, { priority: 10, queuedAt: -10_000 * MINUTE });
    expect(preempted({ holding: [low('same', [0, 1])], waiting: [aged] })).toEqual([]);
  });
});
