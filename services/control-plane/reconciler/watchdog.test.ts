import { describe, expect, it } from 'vitest';
import { recoverySpecSchema } from '../../contracts/run-spec/recovery.ts';
import type { Pulse } from '../records/pulse.ts';
import { findHang } from './watchdog.ts';

const recovery = recoverySpecSchema.parse({
  hang_factor: 20,
  hang_floor_seconds: 60,
  deadlines: { loading: 100, first_step: 200, evaluation: 300, saving: 400 },
});
const HOUR = 3_600_000;
const pulse = (phase: Pulse['phase'], stepMs: number | null = null): Pulse => ({ beat: 9, phase, stepMs });

describe('the watchdog', () => {
  it.each([
    [null, null, 100, 'load_timeout'],
    ['loading', null, 100, 'load_timeout'],
    ['training', null, 200, 'hang'],
    ['rollout', null, 200, 'hang'],
    ['training', 1000, 60, 'hang'],
    ['rollout', 10_000, 200, 'hang'],
    ['evaluation', 1000, 300, 'evaluation_timeout'],
    ['saving', 1000, 400, 'save_timeout'],
    ['finishing', 1000, 400, 'save_timeout'],
  ] as const)('allows a trainer in phase %s with steps of %s ms a silence of %s s, then says %s', (phase, stepMs, limit, reason) => {
    expect(findHang(pulse(phase, stepMs), limit * 1000, recovery)).toBeNull();
    expect(findHang(pulse(phase, stepMs), limit * 1000 + 1, recovery)).toMatchObject({
      reason,
      message: expect.stringContaining(`allowed are ${limit} s`),
    });
  });

  it('says how long steps usually take and which setting allows more', () => {
    expect(findHang(pulse('training', 2500), 61_000, recovery)?.message).toBe(
      'The trainer has shown no progress for 61 s while training; its steps usually take 2.5 s (allowed are 60 s), so it is killed. ' +
        'Raise recovery.hang_factor or recovery.hang_floor_seconds if its steps differ that much.',
    );
  });

  it('leaves slow but healthy phases alone by default: ten minutes in a step of seconds, an hour in any other phase', () => {
    const defaults = recoverySpecSchema.parse({});
    expect(findHang(pulse('training', 2000), 600_000, defaults)).toBeNull();
    expect(findHang(pulse('training', 300_000), HOUR, defaults)).toBeNull();
    for (const phase of [null, 'loading', 'evaluation', 'saving', 'finishing', 'rollout'] as const) {
      expect(findHang(pulse(phase), HOUR, defaults)).toBeNull();
    }
  });
});
