/** Measures how long something has stayed the same while somebody was watching. */
export interface Vigil {
  /** To be called once a round, with the time in milliseconds. */
  round(now: number): void;
  /** Milliseconds for which `subject` has been seen with this mark, round after round. */
  since(subject: string, mark: string): number;
}

/** Time between two rounds beyond this was not watched: the process was stopped, the machine slept, or its clock was set. */
const LONGEST_GAP_MS = 5000;

/**
 * A stopwatch that only counts time in which this process looked. A trainer that could not be heard because the control plane was away,
 * stopped or on a machine that slept has not been silent, and a clock that jumps does not age anything.
 */
export function createVigil(): Vigil {
  let watched = 0;
  let last: number | null = null;
  let seen = new Map<string, { mark: string; from: number }>();
  let before = seen;
  return {
    round(now) {
      if (last !== null) watched += Math.min(LONGEST_GAP_MS, Math.max(0, now - last));
      last = now;
      // What was not looked at in the last round is forgotten.
      before = seen;
      seen = new Map();
    },
    since(subject, mark) {
      const known = before.get(subject);
      const from = known?.mark === mark ? known.from : watched;
      seen.set(subject, { mark, from });
      return watched - from;
    },
  };
}
