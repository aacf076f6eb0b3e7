import { remedies } from '../../contracts/reason.ts';
import type { Logger } from '../../platform/logger.ts';
import { backoffMs, pause } from '../../platform/retry.ts';
import { createBackground, isBackground } from './background.ts';
import type { Limits, Observation } from './observation.ts';
import { plan, restMs } from './plan.ts';
import { laneOf, runOf, type Step } from './step.ts';

const MAX_BACKOFF_MS = 60_000;
const TELL_BLIND_MS = 60_000;
/** Failures in a row after which the run itself says so. */
const STUCK_AFTER = 3;

export interface ReconcilerOptions {
  observe: () => Promise<Observation>;
  /** `signal` is aborted when the step is no longer wanted, or the process ends. */
  execute: (step: Step, signal: AbortSignal) => Promise<void>;
  limits: Limits;
  /** The longest time between two rounds; what has no trigger of its own is noticed within it. */
  resyncMs: number;
  now: () => number;
  log: Logger;
  /** A step of this run fails again and again; called once for its lane, until one succeeds. */
  onStuck: (run: string, message: string) => void;
  /** Told how many milliseconds of `now` a round took, whether it succeeded or not. */
  onRound?: (ms: number) => void;
}

export interface Reconciler {
  /** One round: observe, plan, take the steps, or begin those that take long. Says whether any was taken or begun, and how long to rest. */
  round(): Promise<{ taken: boolean; restMs: number }>;
  /** Rounds until `close`. */
  start(): void;
  /** Asks for a round soon: something has changed. */
  trigger(): void;
  /** Ends after the step under way; those in the background are aborted. */
  close(): Promise<void>;
}

/**
 * Brings the machine and the database to what is wanted, one round at a time: observe, plan, execute. A step that fails is logged and tried again
 * with a growing pause, while the steps of other runs go on. What may take long goes on in the background (`background.ts`): its run's lane is then left
 * out of the rounds until it is done, and nothing else waits for it.
 */
export function createReconciler({
  observe,
  execute,
  limits,
  resyncMs,
  now,
  log,
  onStuck,
  onRound,
}: ReconcilerOptions): Reconciler {
  const closing = new AbortController();
  const failures = new Map<string, { count: number; retryAt: number }>();
  const background = createBackground();
  let wake = new AbortController();
  let loop: Promise<void> = Promise.resolve();

  const take = async (step: Step): Promise<boolean> => {
    const failed = failures.get(keyOf(step));
    if ((failed !== undefined && now() < failed.retryAt) || !background.hasRoom(step)) return false;
    if (!isBackground(step)) return await attempt(step, closing.signal);
    background.begin(step, async (signal) => {
      if (await attempt(step, signal)) wake.abort();
    });
    return true;
  };

  const attempt = async (step: Step, signal: AbortSignal): Promise<boolean> => {
    const run = runOf(step);
    const key = keyOf(step);
    try {
      await execute(step, signal);
      failures.delete(key);
      return true;
    } catch (error) {
      if (isBackground(step) && signal.aborted) return false;
      const count = (failures.get(key)?.count ?? 0) + 1;
      const waitMs = backoffMs({ failures: count, baseMs: resyncMs, maxMs: MAX_BACKOFF_MS });
      failures.set(key, { count, retryAt: now() + waitMs });
      log.error(`Step ${step.step} of ${run} failed; it is tried again in ${waitMs / 1000} s.`, { run, error });
      if (count === STUCK_AFTER) tellStuck(run, step, error);
      return false;
    }
  };

  const tellStuck = (run: string, step: Step, error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    try {
      onStuck(run, `Step ${step.step} fails again and again, and is tried on: ${why}. ${remedies.control_plane_error}`);
    } catch (second) {
      log.error('That a step fails could not be written down.', { run, error: second });
    }
  };

  const round = async (): Promise<{ taken: boolean; restMs: number }> => {
    const observation = await observe();
    const steps = plan(observation, limits);
    background.abortAllBut(steps);
    let taken = false;
    const stopped = new Set<string>();
    for (const step of steps) {
      if (closing.signal.aborted) break;
      if (stopped.has(laneOf(step))) continue;
      // What was planned after a step that was not taken may have counted on it.
      if (await take(step)) taken = true;
      else stopped.add(laneOf(step));
    }
    return { taken, restMs: taken ? 0 : restMs(observation, resyncMs) };
  };

  /** Since when nothing could be observed, and when that was last said. */
  let blind: { since: number; toldAt: number } | null = null;
  const tellBlind = (known: typeof blind, error: unknown): typeof blind => {
    if (known !== null && now() - known.toldAt < TELL_BLIND_MS) return known;
    const lasting = known === null ? '' : ` for ${seconds(now() - known.since)} s`;
    log.error(
      `The state of the runs could not be observed${lasting}; it is tried on, and no run is changed meanwhile.`,
      { error },
    );
    return { since: known?.since ?? now(), toldAt: now() };
  };

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      wake = new AbortController();
      const begun = now();
      const rest = await round()
        .finally(() => onRound?.(now() - begun))
        .then(
          (done) => {
            if (blind !== null)
              log.info(`The state of the runs is seen again after ${seconds(now() - blind.since)} s.`);
            blind = null;
            return done;
          },
          (error: unknown) => {
            blind = tellBlind(blind, error);
            return { restMs: resyncMs };
          },
        );
      if (rest.restMs > 0) await pause(rest.restMs, AbortSignal.any([wake.signal, closing.signal]));
    }
  };

  return {
    round,
    start: () => {
      loop = run();
    },
    trigger: () => wake.abort(),
    close: async () => {
      closing.abort();
      await Promise.all([loop, background.close()]);
    },
  };
}

function seconds(ms: number): number {
  return Math.round(ms / 1000);
}

/** A step that fails again and again must not delay another one that is wanted in its place. */
function keyOf(step: Step): string {
  return `${step.step} ${laneOf(step)}`;
}
