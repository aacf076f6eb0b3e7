import type { Logger } from '../../platform/logger.ts';
import { backoffMs } from '../../platform/retry.ts';
import type { Sink } from './sink.ts';

/** Pauses of a sink that fails. */
export const SINK_RETRY = { baseMs: 1000, maxMs: 60_000 };

export interface SinkRunner {
  sink: Sink;
  wake(): void;
  stop(): Promise<void>;
  /** After `stop`: one more time, for the end of the run. Says whether all is written. */
  finish(signal: AbortSignal): Promise<boolean>;
}

/** Runs one sink, one call at a time; a wake-up during a call leads to another one, a failure to another try after a pause. */
export function createSinkRunner({
  sink,
  run,
  after,
  log,
  wait,
}: {
  sink: Sink;
  run: string;
  after: Promise<unknown>;
  log: Logger;
  wait: (ms: number, signal: AbortSignal) => Promise<void>;
}): SinkRunner {
  const stopped = new AbortController();
  let wanted = false;
  let running: Promise<void> | null = null;
  let failures = 0;

  const attempt = async (final: boolean, signal: AbortSignal): Promise<boolean> => {
    try {
      await sink.catchUp(final, signal);
      failures = 0;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      failures += 1;
      log.error('A rendering of a run could not be written; it is tried again.', {
        run,
        sink: sink.name,
        failures,
        error,
      });
      return false;
    }
  };

  const loop = async () => {
    await after;
    while (wanted && !stopped.signal.aborted) {
      wanted = false;
      if (await attempt(false, stopped.signal)) continue;
      wanted = true;
      await wait(backoffMs({ failures, ...SINK_RETRY }), stopped.signal);
    }
  };

  const start = () => {
    if (stopped.signal.aborted) return;
    running ??= loop().finally(() => {
      running = null;
      if (wanted) start();
    });
  };

  const wake = () => {
    wanted = true;
    start();
  };
  const beat = async (ms: number) => {
    for (;;) {
      await wait(ms, stopped.signal);
      if (stopped.signal.aborted) return;
      wake();
    }
  };
  if (sink.everyMs !== undefined) void beat(sink.everyMs);

  return {
    sink,
    wake,
    async stop() {
      stopped.abort();
      await running;
    },
    finish: (signal) => attempt(true, signal),
  };
}
