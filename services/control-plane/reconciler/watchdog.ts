import { type Reason, remedies } from '../../contracts/reason.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import type { Pulse } from '../records/pulse.ts';

/** Reasons for which a trainer is killed at once: it does not listen, so it would not hear a request to save either. */
const unresponsive = ['load_timeout', 'hang', 'evaluation_timeout', 'save_timeout'] as const;
type Unresponsive = (typeof unresponsive)[number];

export interface Hang {
  reason: Unresponsive;
  /** With the remedy. */
  message: string;
}

/**
 * Whether a trainer that has shown no progress for `silentMs` is hung, by the phase it is in and by how long its steps usually take.
 * A trainer computes on one thread, so it may be silent for a whole micro-batch: limits are far above that.
 */
export function findHang(
  pulse: Pulse,
  silentMs: number,
  { hang_factor: factor, hang_floor_seconds: floor, deadlines }: RunSpec['recovery'],
): Hang | null {
  const tooLong = (reason: Unresponsive, limitSeconds: number, doing: string): Hang | null => {
    if (silentMs <= limitSeconds * 1000) return null;
    const message = `The trainer has shown no progress for ${round(silentMs / 1000)} s while ${doing} (allowed are ${round(limitSeconds)} s), so it is killed. ${remedies[reason]}`;
    return { reason, message };
  };
  switch (pulse.phase) {
    case null:
    case 'loading':
      return tooLong('load_timeout', deadlines.loading, 'loading model and data');
    case 'evaluation':
      return tooLong('evaluation_timeout', deadlines.evaluation, 'evaluating');
    case 'saving':
    case 'finishing':
      return tooLong('save_timeout', deadlines.saving, 'saving');
    case 'rollout':
    case 'training': {
      const doing = pulse.phase === 'rollout' ? 'collecting rollouts' : 'training';
      if (pulse.stepMs === null) return tooLong('hang', deadlines.first_step, `${doing} in its first steps`);
      const usual = pulse.stepMs / 1000;
      const limit = Math.max(floor, factor * usual);
      return tooLong('hang', limit, `${doing}; its steps usually take ${round(usual)} s`);
    }
  }
}

export function isUnresponsive(reason: Reason | null): boolean {
  return (unresponsive as readonly (Reason | null)[]).includes(reason);
}

function round(seconds: number): string {
  return seconds < 10 ? seconds.toFixed(1) : seconds.toFixed(0);
}
