import type { ModelOrigin } from '../../contracts/model-origin.ts';
import type { Reason } from '../../contracts/reason.ts';
import type { RunStatus } from '../../contracts/run.ts';
import type { Method, RunSpec } from '../../contracts/run-spec.ts';
import type { QueuedRun } from '../queue/schedule.ts';

/** Where the next attempt of a run starts. */
export type StartFrom =
  | { kind: 'beginning' }
  /** The newest checkpoint on the run's lineage; the beginning when there is none. */
  | { kind: 'latest' }
  | { kind: 'checkpoint'; run: string; attempt: number; step: number }
  | { kind: 'directory'; path: string };

/** A run as kept. Times are milliseconds since the epoch; paths are absolute except `output_dir`, which is as people know it. */
export interface RunRow {
  id: string;
  name: string | null;
  method: Method;
  status: RunStatus;
  reason: Reason;
  message: string;
  priority: number;
  labels: Record<string, string>;
  spec: RunSpec;
  warnings: string[];
  profile: string;
  output_dir: string;
  tree: string;
  model_directory: string;
  base_adapter_directory: string | null;
  /** The run whose checkpoint is the base model. */
  model_run: string | null;
  /** Where `model_directory` is fetched from; null for one that is not Tandem's to fetch. */
  model_origin: ModelOrigin | null;
  /** 1 while it has to be fetched before the run can start. */
  model_due: 0 | 1;
  train_data: string | null;
  val_data: string | null;
  /** Files that `function` rewards name, in their order. */
  reward_files: string[];
  parent_run: string | null;
  parent_attempt: number | null;
  parent_step: number | null;
  start_from: StartFrom;
  created_at: number;
  queued_at: number;
  started_at: number | null;
  ended_at: number | null;
  stop: 'pause' | 'cancel' | null;
  stop_deadline: number | null;
  restarts: number;
  error_restarts: number;
  restart_at: number | null;
  /** 1 from the start of an attempt until the files of its tree say how it ended. */
  files_due: 0 | 1;
}

/** What the queue has to know of a run. Times are milliseconds since the epoch. */
export interface QueueRow extends QueuedRun {
  name: string | null;
  profile: string;
  /** Whether an inference server is started with it. */
  serves: boolean;
  labels: Record<string, string>;
  startedAt: number | null;
  /** Whether it was asked to end. */
  stopping: boolean;
  /** As the spec has them. */
  tensorParallel: number | null;
  preemptible: boolean;
  expectedMinutes: number | null;
  /** The model that it waits for; null when that is there. */
  model: Pick<DueModel, 'directory' | 'origin'> | null;
}

/** A model that a run in the queue waits for. */
export interface DueModel {
  run: string;
  directory: string;
  origin: ModelOrigin;
}

/** A run that was made from another one. An evaluation needs it until it has ended, a fork for as long as it is there. */
export type Dependant = Pick<RunRow, 'id' | 'status' | 'model_directory'> & { kind: 'fork' | 'model' | 'evaluation' };

/** What a run that has not begun has of its life. */
export const notBegun = {
  started_at: null,
  ended_at: null,
  stop: null,
  stop_deadline: null,
  restarts: 0,
  error_restarts: 0,
  restart_at: null,
  files_due: 0,
} as const satisfies Partial<RunRow>;
