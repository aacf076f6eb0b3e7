import { describe, expect, it } from 'vitest';
import { RUN } from './checkpoint.fixtures.ts';
import { planSweep } from './sweep.ts';

const HOUR = 3_600_000;
const id = (step: number, attempt = 1) => ({ run: RUN, attempt, step });
const open = { opened_at: 0, ended_at: null };

/** Steps that go, each with why; by default one attempt that was opened ten hours ago and goes on. */
const plan = (given: Partial<Parameters<typeof planSweep>[0]>) =>
  planSweep({
    survey: { committed: [], loose: [] },
    unsettled: [],
    attemptOf: () => open,
    now: 10 * HOUR,
    graceMs: HOUR,
    ...given,
  }).map(({ id: { attempt, step }, why }) => `a${attempt}/${step}: ${why}`);

describe('planSweep', () => {
  it('leaves what has a manifest, whatever is noted of it', () => {
    expect(plan({ survey: { committed: [id(10)], loose: [] }, unsettled: [{ ...id(10), since: 0 }] })).toEqual([]);
  });

  it('ends deletions that were cut short, at once', () => {
    const unsettled = [{ ...id(10), since: 0 }];
    expect(plan({ unsettled, now: 1 })).toEqual(['a1/10: its deletion was cut short']);
  });

  it('gives an attempt that is over its grace time, to the millisecond', () => {
    const survey = { committed: [], loose: [id(10)] };
    const endedFor = (ms: number) => plan({ survey, attemptOf: () => ({ opened_at: 0, ended_at: 10 * HOUR - ms }) });
    expect(endedFor(HOUR - 1)).toEqual([]);
    expect(endedFor(HOUR)).toEqual(['a1/10: its attempt ended 60 minutes ago or more']);
  });

  it('removes files of an attempt that nobody knows', () => {
    const survey = { committed: [], loose: [id(10, 7)] };
    expect(plan({ survey, attemptOf: () => undefined })).toEqual(['a7/10: its attempt is not known']);
  });

  it('never touches the newest step of an open attempt, however old', () => {
    expect(plan({ survey: { committed: [id(10)], loose: [id(20)] }, unsettled: [{ ...id(20), since: 1 }] })).toEqual(
      [],
    );
  });

  it('removes an older step of an open attempt when it was asked for that long ago', () => {
    const survey = { committed: [id(30)], loose: [id(10), id(20)] };
    const unsettled = [
      { ...id(10), since: 9 * HOUR },
      { ...id(20), since: 9 * HOUR + 1 },
    ];
    expect(plan({ survey, unsettled })).toEqual([
      'a1/10: it was begun 60 minutes ago or more, and a later step was saved since',
    ]);
  });

  it('takes the begin of the attempt for that of an upload whose begin is not noted', () => {
    const survey = { committed: [id(30)], loose: [id(10)] };
    expect(plan({ survey })).toHaveLength(1);
    expect(plan({ survey, now: HOUR - 1 })).toEqual([]);
  });
});
