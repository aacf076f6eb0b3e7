import type { CheckpointCommit } from '../../contracts/checkpoint.ts';
import type { Reason } from '../../contracts/reason.ts';
import type { AgentConnection } from '../agent/agent-client.ts';
import type { CheckpointSnapshot } from '../checkpoint/snapshot.ts';

/** What the thread that saves is given at its start. */
export interface SaveWorkerData {
  readonly agent: AgentConnection;
}

/** A snapshot is held until the next one, so that a save that failed can be tried again. */
export type SaveRequest =
  | { readonly kind: 'hold'; readonly snapshot: CheckpointSnapshot }
  | { readonly kind: 'save'; readonly directory: string; readonly commit: Omit<CheckpointCommit, 'files'> }
  | { readonly kind: 'give_up'; readonly why: string }
  | { readonly kind: 'drop' };

/** The answer to `save`. */
export type SaveReply =
  | { readonly kind: 'saved' }
  | {
      readonly kind: 'failed';
      readonly reason: Reason;
      readonly message: string;
      readonly remedy: string;
      /** For those who look for a bug. */
      readonly details: string;
    };
