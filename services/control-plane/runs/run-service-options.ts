import type { Run } from '../../contracts/run.ts';
import type { Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logger.ts';
import type { AttemptStore } from '../attempts/attempt.store.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { EventStore } from '../events/event.store.ts';
import type { Models } from '../models/models.ts';
import type { QueueDesk } from '../queue/queue-desk.ts';
import type { RecordService } from '../records/record.service.ts';
import type { Programs } from '../runtimes/role-specs.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import type { Sinks } from '../sinks/sinks.ts';
import type { Trackers } from '../trackers/trackers.ts';
import type { GpuProfiles } from './gpu-profiles.ts';
import type { OutputTrees } from './output-tree.ts';
import type { PathPolicy } from './path-policy.ts';
import type { Host } from './placement.ts';
import type { RunStore } from './run.store.ts';
import type { RunFiles } from './run-files.ts';

/** What the verbs of the run service work with. */
export interface RunServiceOptions {
  db: Database;
  runs: RunStore;
  attempts: AttemptStore;
  events: EventStore;
  records: RecordService;
  checkpoints: CheckpointService;
  sinks: Pick<Sinks, 'open' | 'finish'>;
  trackers: Pick<Trackers, 'forget'>;
  runFiles: Pick<RunFiles, 'save' | 'settled' | 'remove'>;
  trees: OutputTrees;
  paths: PathPolicy;
  runtime: Pick<Runtime, 'workspace' | 'sharedDirectory' | 'seenAt' | 'listenAt' | 'forgetOutput'>;
  programs: Programs;
  models: Pick<Models, 'findOnHub' | 'findInStore' | 'recall' | 'isComplete' | 'keep'>;
  /** The GPUs and profiles that runs may use now. */
  readHost: () => Promise<Host>;
  /** Variables of the control plane, among them the keys that some runs need. */
  environment: Readonly<Record<string, string | undefined>>;
  queue: Pick<QueueDesk, 'waits' | 'preview'>;
  profiles: GpuProfiles;
  /** Container image of vLLM. */
  vllmImage: string;
  /** Directory of prepared models and role workspaces, one below it for each run. */
  work: string;
  stopDeadlineMs: number;
  agentUrl: () => string;
  /** Asks the reconciler for a round. */
  changed: () => void;
  /** Aborted when the process ends: downloads do not hold it up. */
  closing: AbortSignal;
  now: () => number;
  log: Logger;
}

/** Called inside the transaction that does what was asked for, with the run as it is then. */
export type Remember = (reply: { status: 200 | 201; body: Run }) => void;
