import type { Logger } from '../../platform/logger.ts';
import type { RecordBatch } from './record-types.ts';

export type RecordListener = (batch: RecordBatch) => void;

/** Who wants to be told when records of a run are stored. A listener that throws is logged and harms nobody else. */
export function createSubscriptions({ log }: { log: Logger }) {
  const byRun = new Map<string, Set<RecordListener>>();
  return {
    subscribe(run: string, listener: RecordListener): () => void {
      const listeners = byRun.get(run) ?? new Set();
      listeners.add(listener);
      byRun.set(run, listeners);
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0 && byRun.get(run) === listeners) byRun.delete(run);
      };
    },
    notify(batch: RecordBatch): void {
      for (const listener of [...(byRun.get(batch.run) ?? [])]) {
        try {
          listener(batch);
        } catch (error) {
          log.error('A listener of records failed.', { run: batch.run, error });
        }
      }
    },
  };
}
