import type { LogLevels } from '../../contracts/agent-operations.ts';
import type { RunStatus } from '../../contracts/run.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';

/** A run whose records and checkpoints are shown to people as files. */
export interface SinkTarget {
  run: string;
  /** The run whose checkpoint its training started from. */
  parent: string | null;
  spec: RunSpec;
  /** Absolute path of its tree. */
  tree: string;
  /** The tree as the user named it, for paths written into files. */
  outputDir: string;
  /** Level per component, as it is now. */
  levels: () => LogLevels;
  /** How the run stands now. */
  status: () => RunStatus;
}

/** A rendering of records or checkpoints. It remembers nothing that it can read again from what it has written. */
export interface Sink {
  name: string;
  /** What may give it work. */
  wakesOn: readonly ('records' | 'checkpoints')[];
  /** At the end of the run its turn comes when the others are done. */
  last?: true;
  /** It is also called so often, in milliseconds, although nothing has come. */
  everyMs?: number;
  /**
   * Writes what is missing and returns; does nothing when nothing is. A rejection is logged and the call repeated later. `final` when the run has
   * ended and nothing more will come for now. One that takes long ends when `signal` is aborted, and goes on with the next call.
   */
  catchUp(final: boolean, signal: AbortSignal): Promise<void>;
}
