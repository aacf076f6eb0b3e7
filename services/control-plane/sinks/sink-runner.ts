import type { Logger } from '../../platform/logger.ts';
import { backoffMs } from '../../platform/retry.ts';
import type { Sink } from './sink.ts';

/** Pauses of a sink that fails. */
const SINK_RETRY = { baseMs: 1000, maxMs: 60_000 };

export interface SinkRunner {
  sink: Sink;
  wake(): void;
  stop(): Promise<void>;
  /** After `stop`: one more time, for the end of the run. Says whether all is written. */
  finish(signal: AbortSignal): Promise<boolean>;
  /** How long to wait before `finish` is called again that answered false, in milliseconds: at least as long as the error's `holdMs` says. */
  retryMs(): number;
}

/**
 * Runs one sink, one call at a time; a wake-up during a call leads to another one, a failure to another try after a pause. Of failures in a row with one
 * message the first is logged.
 *
 * While the run goes, a sink is called again although its error says `holdMs`: it holds itself, and keeps elsewhere what comes meanwhile.
 */
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
  let holdMs = 0;
  let said: string | null = null;

  const attempt = async (final: boolean, signal: AbortSignal): Promise<boolean> => {
    try {
      await sink.catchUp(final, signal);
      failures = 0;
      said = null;
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      failures += 1;
      holdMs = holdOf(error);
      const message = error instanceof Error ? error.message : String(error);
      if (message !== said) {
        log.error('A rendering of a run could not be written; it is tried again.', {
          run,
          sink: sink.name,
          failures,
          error,
        });
      }
      said = message;
      return false;
    }
  };
  const pauseMs = () => backoffMs({ failures, ...SINK_RETRY });

  const loop = async () => {
    await after;
    while (wanted && !stopped.signal.aborted) {
      wanted = false;
      if (await attempt(false, stopped.signal)) continue;
      wanted = true;
      await wait(pauseMs(), stopped.signal);
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
    retryMs: () => Math.max(pauseMs(), holdMs),
  };
}

/** Milliseconds in which another try is of no use, as the error says; 0 where it says nothing. */
function holdOf(error: unknown): number {
  const isHeld = error instanceof Error && 'holdMs' in error && typeof error.holdMs === 'number';
  return isHeld ? (error as { holdMs: number }).holdMs : 0;
}
