import {
  type AgentOperations,
  type AttemptSpec,
  attemptIdPattern,
  type Want,
} from '../../contracts/agent-operations.ts';
import { storageFault } from '../../platform/storage-error.ts';
import type { Handlers } from '../api/handlers.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import type { RecordService } from '../records/record.service.ts';
import type { GpuProfiles } from '../runs/gpu-profiles.ts';
import { inferenceOf } from '../runs/inference-of.ts';
import { logLevelsOf } from '../runs/log-levels.ts';
import type { Pruner } from '../runs/pruner.ts';
import type { RunStore } from '../runs/run.store.ts';
import type { RunRow } from '../runs/run-row.ts';
import type { Runtime } from '../runtimes/runtime.ts';
import type { AttemptRow, AttemptStore } from './attempt.store.ts';
import { isTokenOf } from './attempt-token.ts';
import { attemptCandidates } from './start-point.ts';

/** For a run whose profile is gone. */
const DEFAULT_HAND_OFF_SECONDS = 120;

export interface AgentOptions {
  runs: Pick<RunStore, 'get'>;
  attempts: Pick<AttemptStore, 'get'>;
  records: Pick<RecordService, 'ingest' | 'touch' | 'baseline' | 'high'>;
  checkpoints: Pick<CheckpointService, 'candidates' | 'withLinks' | 'requestUpload' | 'commit' | 'resolve'>;
  prune: Pruner['prune'];
  profiles: GpuProfiles;
  runtime: Pick<Runtime, 'sharedDirectory' | 'seenAt'>;
  runBaselineEval: boolean;
  verbose: boolean;
  /** Asks the reconciler for a round. */
  changed: () => void;
}

/** Whether the token is that of the attempt, open or closed. */
export function authenticateAttempt(
  attempts: Pick<AttemptStore, 'get'>,
): (attemptId: string, token: string) => boolean {
  return (attemptId, token) => {
    const match = attemptIdPattern.exec(attemptId);
    const hash = match && attempts.get(match[1] as string, Number(match[2]))?.token_hash;
    return typeof hash === 'string' && isTokenOf(token, hash);
  };
}

/** What trainers are told, and what they hand in. */
export function createAgentHandlers(options: AgentOptions): Handlers<AgentOperations> {
  const { records, checkpoints, prune, changed } = options;
  return {
    getAttemptSpec: async ({ params }) => {
      const { run, attempt } = requireOpen(params.id, options);
      return { status: 200, body: await specOf(run, attempt, options) };
    },

    postRecords: async ({ params, body }) => {
      const { run, attempt } = requireOpen(params.id, options);
      const high = await records.ingest(run.id, attempt.number, body);
      // What was wanted may have changed while the records were written.
      const now = requireOpen(params.id, options);
      if (now.run.status === 'starting') changed();
      const { want, deadline } = wantOf(now.run, now.attempt);
      return { status: 200, body: { high, want, deadline, log_levels: logLevelsOf(now.run.spec) } };
    },

    postUploads: async ({ params, body }) => {
      const { run, attempt } = requireOpen(params.id, options);
      const upload = () => checkpoints.requestUpload({ run: run.id, attempt: attempt.number }, body);
      return { status: 200, body: await unlessRefused(upload) };
    },

    postCheckpoint: async ({ params, body }) => {
      const { run, attempt } = requireOpen(params.id, options);
      const manifest = await unlessRefused(() => checkpoints.commit({ run: run.id, attempt: attempt.number }, body));
      // The trainer waits for the answer alone.
      void prune(run.id);
      return { status: 200, body: manifest };
    },
  };
}

/** What the store refuses it will refuse again, until somebody has changed it: a trainer must not wait for that. */
async function unlessRefused<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const fault = storageFault(error);
    if (fault?.kind !== 'refused') throw error;
    const { message } = fault;
    throw new ProblemError('store-refused', `${message.charAt(0).toUpperCase()}${message.slice(1)}.`, { cause: error });
  }
}

function requireOpen(attemptId: string, { runs, attempts }: AgentOptions): { run: RunRow; attempt: AttemptRow } {
  const match = attemptIdPattern.exec(attemptId);
  const run = match ? runs.get(match[1] as string) : undefined;
  const attempt = match && run ? attempts.get(run.id, Number(match[2])) : undefined;
  if (run === undefined || attempt === undefined) {
    throw new ProblemError('not-found', `There is no attempt ${attemptId}; stop without saving.`);
  }
  if (attempt.ended_at !== null) throw new ProblemError('attempt-closed', `${attemptId} is over; stop without saving.`);
  return { run, attempt };
}

function wantOf(run: RunRow, attempt: AttemptRow): { want: Want; deadline: string | null } {
  const deadlines = [run.stop === null ? null : run.stop_deadline, attempt.ending_deadline].filter((at) => at !== null);
  if (run.stop === null && attempt.ending_reason === null) return { want: 'run', deadline: null };
  return { want: 'stop', deadline: deadlines.length === 0 ? null : new Date(Math.min(...deadlines)).toISOString() };
}

async function specOf(run: RunRow, attempt: AttemptRow, options: AgentOptions): Promise<AttemptSpec> {
  const { spec } = run;
  const inference = inferenceOf(spec);
  const seen = (path: string | null) => path && options.runtime.seenAt(path);
  const all = attemptCandidates(attempt, options.checkpoints);
  // What is evaluated is this one or none.
  const candidates = await options.checkpoints.withLinks(spec.task === 'evaluate' ? all.slice(0, 1) : all);
  return {
    run: run.id,
    attempt: attempt.number,
    spec,
    model_directory: options.runtime.seenAt(run.model_directory),
    model_origin: run.model_origin,
    base_adapter_directory: seen(run.base_adapter_directory),
    train_data: seen(run.train_data),
    val_data: seen(run.val_data),
    reward_files: run.reward_files.map((path) => options.runtime.seenAt(path)),
    adapters_directory: options.runtime.sharedDirectory(
      { run: run.id, attempt: attempt.number },
      inference.kind === 'external',
    ),
    inference_url: inference.kind === 'external' ? inference.url : attempt.inference_url,
    hand_off: handOffOf(run, options),
    resume: candidates.map((candidate) => ({ ...candidate, directory: seen(candidate.directory) })),
    baseline: baselineOf(run.id, options) ?? baselineOf(run.parent_run, options),
    run_baseline_eval: spec.training.run_baseline_eval ?? options.runBaselineEval,
    verbose: spec.logging.verbose ?? options.verbose,
    output_dir: run.output_dir,
    log_levels: logLevelsOf(spec),
  };
}

/** Only a server that Tandem started beside the trainer shares GPUs with it. */
function handOffOf({ spec, profile: name }: RunRow, { profiles }: AgentOptions): AttemptSpec['hand_off'] {
  const profile = profiles.get(name);
  const mode = inferenceOf(spec).kind === 'vllm' ? profile?.hand_off : undefined;
  return { mode: mode ?? 'none', deadline: profile?.deadlines.hand_off ?? DEFAULT_HAND_OFF_SECONDS };
}

/** With the run that measured it, which the trainer names. */
function baselineOf(run: string | null, { records }: AgentOptions) {
  const baseline = run === null ? null : records.baseline(run);
  return baseline && { ...baseline, run };
}
