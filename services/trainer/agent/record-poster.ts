import { type AgentClient, AgentError } from './agent-client.ts';
import type { AttemptControl } from './attempt-control.ts';
import { backoffMs } from './backoff.ts';
import { type RecordSpool, SPOOL_START, type SpoolCursor } from './record-spool.ts';

export interface RecordPoster {
  /** Resolves to true once the control plane holds every record of the spool, to false when `timeoutMs` passed first. */
  flush(timeoutMs: number): Promise<boolean>;
  stop(): Promise<void>;
}

const HEARTBEAT_MS = 2000;
/** Records that come in a burst travel together. */
const GATHER_MS = 100;
const BATCH_BYTES = 512 * 1024;
const BATCH_RECORDS = 5000;

/**
 * Posts what the spool holds, in order, one request at a time, and a heartbeat every two seconds. While the control plane is away it
 * retries with growing pauses and training goes on. What it answers is handed to `control`.
 */
export function startRecordPoster(params: {
  readonly client: AgentClient;
  readonly spool: RecordSpool;
  readonly control: AttemptControl;
}): RecordPoster {
  const { client, spool, control } = params;
  const stopped = new AbortController();
  let cursor: SpoolCursor = SPOOL_START;
  let acknowledged = 0;
  let failures = 0;
  let wake: () => void = () => {};
  let flushing = false;

  spool.onAppend(() => wake());
  const running = run();

  async function run(): Promise<void> {
    while (!stopped.signal.aborted && !control.closed.aborted) {
      await postBatch();
      await pause();
    }
  }

  async function postBatch(): Promise<void> {
    try {
      const { lines, next } = spool.read(cursor, BATCH_BYTES, BATCH_RECORDS);
      const reply = await client.postRecords(lines, stopped.signal);
      failures = 0;
      acknowledged = reply.high;
      cursor = reply.high === next.n - 1 ? next : spool.find(reply.high + 1);
      control.heard(reply);
    } catch (error) {
      await handle(error);
    }
  }

  async function handle(error: unknown): Promise<void> {
    if (stopped.signal.aborted) return;
    if (error instanceof AgentError && error.kind === 'closed') return control.close();
    failures += 1;
    if (!(error instanceof AgentError) || error.kind !== 'gap') return;
    // An empty post is answered with the number that is stored, from which to go on.
    const reply = await client.postRecords('', stopped.signal).catch(() => undefined);
    if (reply) cursor = spool.find(reply.high + 1);
  }

  async function pause(): Promise<void> {
    if (control.closed.aborted || stopped.signal.aborted) return;
    if (failures > 0) return delay(flushing ? Math.min(500, backoffMs(failures)) : backoffMs(failures), false);
    if (cursor.n <= spool.high) return flushing ? undefined : delay(GATHER_MS, false);
    await delay(HEARTBEAT_MS, true);
    if (!flushing) await delay(GATHER_MS, false);
  }

  /** Ends early when the poster is stopped or flushed, and on a new record if `untilRecord`. */
  function delay(milliseconds: number, untilRecord: boolean): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer);
        wake = () => {};
        resolve();
      };
      const timer = setTimeout(end, milliseconds);
      wake = () => {
        if (untilRecord || flushing || stopped.signal.aborted) end();
      };
    });
  }

  async function flush(timeoutMs: number): Promise<boolean> {
    const until = performance.now() + timeoutMs;
    flushing = true;
    wake();
    while (acknowledged < spool.high && performance.now() < until && !control.closed.aborted) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    flushing = false;
    return acknowledged >= spool.high;
  }

  return {
    flush,
    async stop() {
      stopped.abort();
      wake();
      await running;
    },
  };
}
