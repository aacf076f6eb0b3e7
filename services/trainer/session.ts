import type { AttemptSpec } from '../contracts/agent-operations.ts';
import type { RunSpec } from '../contracts/run-spec.ts';
import type { Engine } from '../model/backend.ts';
import type { AgentClient } from './agent/agent-client.ts';
import type { AttemptControl } from './agent/attempt-control.ts';
import type { RecordSpool } from './agent/record-spool.ts';
import type { ComponentLogs } from './log/component-logs.ts';
import type { SaveWorker } from './saving/save-worker.ts';

/** What a training method is given: its orders, the engine, and the ways to report. */
export interface Session {
  readonly attempt: AttemptSpec;
  readonly spec: RunSpec;
  readonly engine: Engine;
  readonly client: AgentClient;
  readonly control: AttemptControl;
  readonly records: RecordSpool;
  readonly logs: ComponentLogs;
  readonly saveWorker: SaveWorker;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The time of day, for deadlines and dates; it may be set meanwhile. */
  readonly wall: () => number;
  /** A directory of the attempt's own. */
  readonly workspace: string;
}

/** How training came to its end. Anything else is thrown. */
export type Outcome = { readonly kind: 'finished' } | { readonly kind: 'stopped' };
