import { backoffMs, pause } from '../../../../platform/retry.ts';
import { openStream } from './open-stream.ts';
import { splitLines } from './split-lines.ts';

export interface EngineEvent {
  /** `container`, `network`, `image`... */
  type: string;
  /** `die`, `oom`, `health_status: unhealthy`... */
  action: string;
  id: string;
  /** Labels of the object, and more by action (`exitCode`). */
  attributes: Readonly<Record<string, string>>;
  /** Nanoseconds since the epoch as Docker writes them; more than a number holds. */
  timeNano: string;
}

export interface WatchEvents {
  /** As the Engine API takes them: `{ type: ['container'], label: ['…'] }`. */
  filters: Readonly<Record<string, readonly string[]>>;
  /** Called once for each event. It must not throw. */
  onEvent: (event: EngineEvent) => void;
  /** Called each time the watching begins or begins again: events may have been lost, so look at everything. */
  onResync: () => void;
  /** Called when the watching breaks off, with why; it goes on by itself. */
  onBreak?: (error: unknown) => void;
  signal: AbortSignal;
  /** Milliseconds to wait after the given number of failures in a row. */
  backoff?: (failures: number) => number;
}

/** The daemon keeps the last 256. */
const REMEMBERED = 1024;
/** A stream that held so long was no failure. */
const LASTING_MS = 10_000;
const HOUR_NS = 3_600_000_000_000n;

/**
 * Tells what happens in the daemon, for as long as the signal is not aborted: whatever ends the stream, it is opened again, and goes on where it was.
 * Events only make things faster. Docker drops them when it has much to do, and forgets them when it restarts.
 */
export async function watchEvents(socketPath: string, options: WatchEvents): Promise<void> {
  const { filters, onEvent, onResync, onBreak, signal, backoff = jittered } = options;
  const known = rememberLast(REMEMBERED);
  let newest: bigint | null = null;
  let failures = 0;
  while (!signal.aborted) {
    const began = performance.now();
    try {
      const query = new URLSearchParams({ filters: JSON.stringify(filters) });
      if (newest !== null) query.set('since', sinceOf(newest));
      const path = `/events?${query}`;
      const chunks = await openStream({ socketPath, what: 'watch events', method: 'GET', path, signal });
      onResync();
      for await (const lines of splitLines(chunks)) {
        for (const event of lines.map(parseEvent)) {
          if (event === null || !known(`${event.id} ${event.action} ${event.timeNano}`)) continue;
          const at = BigInt(event.timeNano);
          // One event from the future (a clock that was set back since) must not hide those that follow.
          if (newest === null || at > newest || newest - at > HOUR_NS) newest = at;
          onEvent(event);
        }
      }
      if (!signal.aborted) onBreak?.(new Error('The Docker daemon ended the stream of events.'));
    } catch (error) {
      if (signal.aborted) return;
      onBreak?.(error);
    }
    failures = performance.now() - began > LASTING_MS ? 1 : failures + 1;
    await pause(backoff(failures), signal);
  }
}

/** Between half and all of 100 ms doubled to 10 s. */
function jittered(failures: number): number {
  return backoffMs({ failures, baseMs: 100, maxMs: 10_000 }) * (0.5 + Math.random() / 2);
}

function sinceOf(timeNano: bigint): string {
  return `${timeNano / 1_000_000_000n}.${String(timeNano % 1_000_000_000n).padStart(9, '0')}`;
}

/** Whether a key is new; the oldest are forgotten. */
function rememberLast(count: number): (key: string) => boolean {
  const keys = new Set<string>();
  return (key) => {
    if (keys.has(key)) return false;
    keys.add(key);
    if (keys.size > count) keys.delete(keys.values().next().value as string);
    return true;
  };
}

/** Null for a line that is no event; that one is dropped like those that Docker drops. */
export function parseEvent(line: string): EngineEvent | null {
  try {
    const { Type, Action, Actor } = JSON.parse(line) as {
      Type?: unknown;
      Action?: unknown;
      Actor?: { ID?: unknown; Attributes?: Record<string, string> | null };
    };
    // Read from the text: as a number it would lose its last digits.
    const timeNano = /"timeNano":\s*(\d{1,20})\s*[,}]/.exec(line)?.[1];
    if (typeof Type !== 'string' || typeof Action !== 'string' || typeof Actor?.ID !== 'string') return null;
    if (timeNano === undefined) return null;
    return { type: Type, action: Action, id: Actor.ID, attributes: Actor.Attributes ?? {}, timeNano };
  } catch {
    return null;
  }
}
