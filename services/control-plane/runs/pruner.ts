import { setMaxListeners } from 'node:events';
import type { Logger } from '../../platform/logger.ts';
import { backoffMs, pause } from '../../platform/retry.ts';
import { createSlots } from '../../platform/transfer/slots.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { retentionRules } from '../checkpoints/retention.ts';
import { type NeededCheckpointOptions, neededCheckpoints } from './needed-checkpoints.ts';
import type { RunStore } from './run.store.ts';

export interface PrunerOptions {
  runs: NeededCheckpointOptions['runs'] & Pick<RunStore, 'get'>;
  checkpoints: Pick<CheckpointService, 'prune' | 'resolve'>;
  /** Ends the tries. */
  closing: AbortSignal;
  log: Logger;
  wait?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export interface Pruner {
  /**
   * Deletes what a run need not keep. Resolves after the first try and never rejects: checkpoints that stay too long are no reason to call a commit
   * failed, or an ended attempt unended. A try that failed is repeated with a growing pause, beside everything else.
   */
  prune(run: string): Promise<void>;
}

const RUNS_AT_ONCE = 4;
const RETRY = { baseMs: 1000, maxMs: 60_000 };

export function createPruner({ runs, checkpoints, closing, log, wait = pause }: PrunerOptions): Pruner {
  setMaxListeners(0, closing);
  const slots = createSlots(RUNS_AT_ONCE);
  /** Tries that have not begun: whoever asks meanwhile means the same one. */
  const waiting = new Map<string, Promise<boolean>>();
  const retrying = new Set<string>();

  const tryOnce = async (id: string): Promise<boolean> => {
    waiting.delete(id);
    if (closing.aborted) return true;
    try {
      const run = runs.get(id);
      if (run === undefined) return true;
      const protect = neededCheckpoints(id, { runs, checkpoints });
      await checkpoints.prune(id, { rules: retentionRules(run.spec), protect });
      return true;
    } catch (error) {
      if (!closing.aborted) log.error('Old checkpoints could not be deleted; it is tried again.', { run: id, error });
      return false;
    }
  };
  const next = (id: string): Promise<boolean> => {
    const before = waiting.get(id);
    if (before !== undefined) return before;
    const result = Promise.resolve().then(() => slots(() => tryOnce(id)));
    waiting.set(id, result);
    return result;
  };
  const tryOn = async (id: string): Promise<void> => {
    if (retrying.has(id)) return;
    retrying.add(id);
    for (let failures = 1, done = false; !done && !closing.aborted; failures += 1) {
      await wait(backoffMs({ failures, ...RETRY }), closing);
      done = await next(id);
    }
    retrying.delete(id);
  };

  return {
    prune: async (id) => {
      if (!(await next(id))) void tryOn(id);
    },
  };
}
