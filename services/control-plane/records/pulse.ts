import type { TrainerRecord } from '../../contracts/record.ts';
import type { Progress } from '../../contracts/run.ts';

/** How fast an attempt moves, by what it has recorded. */
export interface Pulse {
  /** Number of the last record that shows progress; 0 before the first. Log lines and heartbeats show none. */
  beat: number;
  /** Null before the trainer has said what it does. */
  phase: Progress['phase'] | null;
  /** Median time from one step to the next, in ms, over the last ones of this attempt; null until `ENOUGH` are known. */
  stepMs: number | null;
}

interface Step {
  step: number;
  at: number;
}

/** What is kept to tell the pulse: the newest steps, oldest first. */
export interface PulseState {
  readonly pulse: Pulse;
  readonly steps: readonly Step[];
}

const KEPT = 32;
const ENOUGH = 3;

export const noPulse: PulseState = { pulse: { beat: 0, phase: null, stepMs: null }, steps: [] };

/** The state after more records of the same attempt. Those it has seen already change nothing. */
export function feel(state: PulseState, records: readonly TrainerRecord[]): PulseState {
  let { beat, phase } = state.pulse;
  const steps = [...state.steps];
  for (const record of records) {
    if (record.n <= beat || record.kind === 'log') continue;
    beat = record.n;
    if (record.kind === 'progress') phase = record.phase;
    // Not every trainer names its phases; one that has metrics to report has loaded.
    if (record.kind === 'metrics' && (phase === null || phase === 'loading')) phase = 'training';
    if (record.kind === 'metrics' && record.step > (steps.at(-1)?.step ?? 0)) {
      steps.push({ step: record.step, at: Date.parse(record.time) });
    }
  }
  const kept = steps.slice(-KEPT);
  return { pulse: { beat, phase, stepMs: medianGap(kept) }, steps: kept };
}

/** Evaluations and saves between some of the steps do not move a median. */
function medianGap(steps: readonly Step[]): number | null {
  const gaps = steps.slice(1).map(({ at, step }, i) => {
    const before = steps[i] as Step;
    return Math.max(0, at - before.at) / (step - before.step);
  });
  if (gaps.length < ENOUGH) return null;
  return gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)] as number;
}
