import type { Database } from '../../platform/database.ts';
import type { Logger } from '../../platform/logger.ts';
import type { Redactor } from '../../platform/redaction.ts';
import type { AttemptStore } from '../attempts/attempt.store.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { EventStore } from '../events/event.store.ts';
import type { LeaseStore } from '../leases/lease.store.ts';
import type { Models } from '../models/models.ts';
import type { RecordService } from '../records/record.service.ts';
import type { GpuProfiles } from '../runs/gpu-profiles.ts';
import type { OutputTrees } from '../runs/output-tree.ts';
import type { Pruner } from '../runs/pruner.ts';
import type { RunStore } from '../runs/run.store.ts';
import type { RunFiles } from '../runs/run-files.ts';
import type { Programs } from '../runtimes/role-specs.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import type { Sinks } from '../sinks/sinks.ts';

/** What steps are taken with. */
export interface ExecuteOptions {
  db: Database;
  runs: RunStore;
  attempts: AttemptStore;
  events: EventStore;
  records: RecordService;
  checkpoints: CheckpointService;
  trees: Pick<OutputTrees, 'claim'>;
  sinks: Pick<Sinks, 'open' | 'finish'>;
  leases: LeaseStore;
  runFiles: Pick<RunFiles, 'save'>;
  prune: Pruner['prune'];
  models: Pick<Models, 'fetch' | 'isComplete'>;
  runtime: Runtime;
  redactor: Redactor;
  programs: Programs;
  /** Container image of vLLM. */
  vllmImage: string;
  profiles: GpuProfiles;
  /** Where trainers reach the agent API. */
  agentUrl: () => string;
  stopDeadlineMs: number;
  now: () => number;
  log: Logger;
}
