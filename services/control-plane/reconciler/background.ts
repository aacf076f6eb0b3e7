import { settleWithin } from '../settle-within.ts';
import { laneOf, type Step, type StepName } from './step.ts';

/**
 * Steps that fetch a model, wait for the object store, write a tree, start a role, whose image and inputs may have to be fetched first, or remove what one has left, and how many of each go on at a
 * time. They share no slots, so none waits for another kind. Fetches are counted by `models` itself: most of their time they may wait for a hub that is away.
 */
const AT_ONCE: Partial<Record<StepName, number>> = {
  fetchModel: Number.POSITIVE_INFINITY,
  startRole: 8,
  endAttempt: 8,
  cleanUp: 8,
  finishFiles: 4,
};
/** How long requests to a store that cannot be interrupted may hold up the end of the process. */
const CLOSE_GRACE_MS = 2000;

export function isBackground({ step }: Step): boolean {
  return step in AT_ONCE;
}

/** Steps that go on beside the rounds. It is no queue: what finds no room is planned again. */
export interface Background {
  /** Whether nothing goes on in the lane of the step, and there is room for one more of its kind. */
  hasRoom(step: Step): boolean;
  /** `work` never rejects. */
  begin(step: Step, work: (signal: AbortSignal) => Promise<void>): void;
  /** Aborts what is none of these steps: what it was begun for has changed. */
  abortAllBut(steps: readonly Step[]): void;
  /** Aborts everything and waits for it, not for long: an interrupted step is planned again by the next process. */
  close(): Promise<void>;
}

export function createBackground(): Background {
  const tasks = new Map<string, { name: StepName; stop: AbortController; done: Promise<void> }>();
  const keyOf = (step: Step) => `${step.step} ${laneOf(step)}`;

  return {
    hasRoom: (step) => {
      if (tasks.has(laneOf(step))) return false;
      const same = [...tasks.values()].filter(({ name }) => name === step.step).length;
      return same < (AT_ONCE[step.step] ?? Number.POSITIVE_INFINITY);
    },
    begin: (step, work) => {
      const stop = new AbortController();
      const done = work(stop.signal).finally(() => tasks.delete(laneOf(step)));
      tasks.set(laneOf(step), { name: step.step, stop, done });
    },
    abortAllBut: (steps) => {
      const wanted = new Set(steps.map(keyOf));
      for (const [lane, { name, stop }] of tasks) if (!wanted.has(`${name} ${lane}`)) stop.abort();
    },
    close: async () => {
      for (const { stop } of tasks.values()) stop.abort();
      await settleWithin(
        [...tasks.values()].map(({ done }) => done),
        CLOSE_GRACE_MS,
      );
    },
  };
}
