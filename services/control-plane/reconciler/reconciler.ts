import { remedies } from '../../contracts/reason.ts';
import type { Logger } from '../../platform/logger.ts';
import { backoffMs, pause } from '../../platform/retry.ts';
import type { Limits, Observation } from './observation.ts';
import { plan, restMs } from './plan.ts';
import { runOf, type Step } from './step.ts';

const MAX_BACKOFF_MS = 60_000;
/** Failures in a row after which the run itself says so. */
const STUCK_AFTER = 3;

export interface ReconcilerOptions {
  observe: () => Promise<Observation>;
  execute: (step: Step) => Promise<void>;
  limits: Limits;
  /** The longest time between two rounds; what has no trigger of its own is noticed within it. */
  resyncMs: number;
  now: () => number;
  log: Logger;
  /** A step of this run fails again and again; called once, until one succeeds. */
  onStuck: (run: string, message: string) => void;
}

export interface Reconciler {
  /** One round: observe, plan, take the steps. Says whether any step was taken, and how long to rest. */
  round(): Promise<{ taken: boolean; restMs: number }>;
  /** Rounds until `close`. */
  start(): void;
  /** Asks for a round soon: something has changed. */
  trigger(): void;
  /** Ends after the step under way. */
  close(): Promise<void>;
}

/**
 * Brings the machine and the database to what is wanted, one round at a time: observe, plan, execute. A step that fails is logged and tried again
 * with a growing pause, while the steps of other runs go on.
 */
export function createReconciler({
  observe,
  execute,
  limits,
  resyncMs,
  now,
  log,
  onStuck,
}: ReconcilerOptions): Reconciler {
  const closing = new AbortController();
  const failures = new Map<string, { count: number; retryAt: number }>();
  let wake = new AbortController();
  let loop: Promise<void> = Promise.resolve();

  const take = async (step: Step): Promise<boolean> => {
    const run = runOf(step);
    const failed = failures.get(run);
    if (failed !== undefined && now() < failed.retryAt) return false;
    try {
      await execute(step);
      failures.delete(run);
      return true;
    } catch (error) {
      const count = (failed?.count ?? 0) + 1;
      const waitMs = backoffMs({ failures: count, baseMs: resyncMs, maxMs: MAX_BACKOFF_MS });
      failures.set(run, { count, retryAt: now() + waitMs });
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
    let taken = false;
    for (const step of plan(observation, limits)) {
      if (closing.signal.aborted) break;
      taken = (await take(step)) || taken;
    }
    return { taken, restMs: taken ? 0 : restMs(observation, resyncMs) };
  };

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      wake = new AbortController();
      const rest = await round().catch((error: unknown) => {
        log.error('The state of the runs could not be observed.', { error });
        return { restMs: resyncMs };
      });
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
      await loop;
    },
  };
}
