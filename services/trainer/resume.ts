import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { ResumeCandidate } from '../contracts/agent-operations.ts';
import { type TrainingState, trainingStateSchema } from '../contracts/checkpoint.ts';
import { ModelError } from '../model/errors.ts';
import { downloadFiles } from '../platform/transfer/download-file.ts';
import { TransferError, type TransferErrorKind } from '../platform/transfer/transfer-error.ts';
import { CheckpointError, type CheckpointErrorCode } from './checkpoint/checkpoint-error.ts';
import { type LoadedCheckpoint, readCheckpoint } from './checkpoint/read-checkpoint.ts';
import { readWeights } from './checkpoint/read-weights.ts';
import { describeRestored, type RestoreMessage, restoreOptimizer } from './checkpoint/restore.ts';
import { explainFailure, TrainerError } from './failure.ts';
import type { Learner } from './learner/learner.ts';
import type { Policy } from './learner/policy.ts';
import { resumedFrom } from './log/messages.ts';
import type { Session } from './session.ts';

/** Where training starts: the state, and the checkpoint it is of. */
export interface StartingPoint {
  readonly state: TrainingState;
  /** Step of the checkpoint; null from the beginning. */
  readonly resumedStep: number | null;
}

/**
 * Restores the first checkpoint that verifies: weights, optimizer and state. Each that does not is an event with the reason.
 *
 * @param inputs hashes of what this run trains from: a checkpoint of other data is refused, or in a fork starts that data at its beginning
 * @throws TrainerError `invalid_checkpoint` when there were candidates and none could be used.
 */
export async function startingPoint(
  session: Session,
  params: { readonly policy: Policy; readonly learner: Learner; readonly inputs: Readonly<Record<string, string>> },
): Promise<StartingPoint> {
  const { attempt, logs } = session;
  if (attempt.resume.length === 0) return { state: trainingStateSchema.parse({}), resumedStep: null };
  const reasons: string[] = [];
  for (const candidate of attempt.resume) {
    // Older checkpoints of the run have the same inputs: none of them would do either.
    requireSameInputs(session, candidate, params);
    try {
      return await restore(session, candidate, params);
    } catch (error) {
      session.control.closed.throwIfAborted();
      if (!rejects(error)) throw error;
      const { message } = explainFailure(asTrainerError(error));
      reasons.push(`${candidate.label}: ${message}`);
      session.records.append([
        {
          kind: 'event',
          name: 'checkpoint_rejected',
          message: `${candidate.label} cannot be used: ${message}`,
          data: { checkpoint: candidate.label },
        },
      ]);
      logs.training.warning(`Checkpoint rejected: ${candidate.label} | ${message}`);
    }
  }
  throw new TrainerError(
    'invalid_checkpoint',
    `None of ${attempt.resume.length} checkpoints can be used. ${reasons.join('; ')}`,
    'Resume from another checkpoint, or start again with training.start_fresh: true.',
  );
}

async function restore(
  session: Session,
  candidate: ResumeCandidate,
  { policy, learner, inputs }: { policy: Policy; learner: Learner; inputs: Readonly<Record<string, string>> },
): Promise<StartingPoint> {
  const fetched = path.join(session.workspace, 'resume');
  const directory = candidate.directory ?? (await fetchFiles(session, candidate, fetched));
  try {
    const { manifest } = candidate;
    const loaded = await readCheckpoint({ directory, manifest, verified: candidate.directory === null });
    policy.loadTrainedWeights(await trainedWeights(loaded, policy));
    learner.reload();
    const optimizer = restoreOptimizer(learner.optimizer, loaded);
    const messages = [optimizer, ...describeRestored(loaded)];
    const state = stateOf(session, candidate, loaded, inputs);
    report(session, candidate, messages, state);
    return { state, resumedStep: state.global_step };
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
}

async function trainedWeights(loaded: LoadedCheckpoint, policy: Policy) {
  const weights = await readWeights(loaded.directory, loaded.layout.weights, policy.config);
  const found = weights.kind === 'lora' ? 'a LoRA adapter' : 'full weights';
  if ((weights.kind === 'lora') !== (policy.lora !== null)) {
    throw new CheckpointError(
      'state_mismatch',
      loaded.directory,
      `holds ${found}; set model.use_lora as it was trained`,
    );
  }
  return weights.kind === 'lora' ? weights.adapter.weights : weights.weights;
}

function stateOf(
  session: Session,
  candidate: ResumeCandidate,
  loaded: LoadedCheckpoint,
  inputs: Readonly<Record<string, string>>,
): TrainingState {
  const state = { ...loaded.trainingState, policy_version: loaded.policyVersion };
  const trained = candidate.manifest?.inputs['train_data'];
  const changed = trained !== undefined && trained !== inputs['train_data'];
  if (changed) {
    session.logs.training.warning('The training data has changed since the checkpoint: it starts at its beginning');
  }
  if (changed || session.spec.checkpoint.ignore_data_skip) state.data_position = { epoch: 0, offset: 0 };
  return state;
}

function report(
  session: Session,
  candidate: ResumeCandidate,
  messages: readonly RestoreMessage[],
  state: TrainingState,
) {
  const { training } = session.logs;
  for (const { level, text } of messages) (level === 'INFO' ? training.info : training.warning)(text);
  const message = resumedFrom(state.global_step, state.data_position.epoch);
  training.info(message, { checkpoint: candidate.label });
  session.records.append([
    {
      kind: 'event',
      name: 'resumed',
      message,
      data: { checkpoint: candidate.label, step: state.global_step, policy_version: state.policy_version },
    },
  ]);
}

/** What a checkpoint records hashes of, in words. */
const inputNames = { model: 'base model', tokenizer: 'tokenizer', train_data: 'training data' } as const;

/**
 * A run goes on with what it was trained from: with other data its steps and metrics would mean something else under the same name. A fork may change it,
 * but an adapter means nothing on another base model. Checkpoints that record no hashes are taken as they are.
 */
function requireSameInputs(
  session: Session,
  { manifest, label }: ResumeCandidate,
  { policy, inputs }: { policy: Policy; inputs: Readonly<Record<string, string>> },
): void {
  const forked = manifest?.run !== session.attempt.run;
  for (const [name, words] of Object.entries(inputNames)) {
    const [was, is] = [manifest?.inputs[name], inputs[name]];
    if (was === undefined || was === is) continue;
    const hashes = `sha256 ${was.slice(0, 12)}…, this run has ${is?.slice(0, 12)}…`;
    if (!forked || (name === 'model' && policy.lora !== null)) {
      throw new TrainerError(
        'invalid_checkpoint',
        `${label} was trained from another ${words} (${hashes})`,
        name === 'model' && policy.lora !== null
          ? 'Resume with the model it was trained from.'
          : `Put the ${words} back that it was trained from, or fork the run to go on with this one (fork: true).`,
      );
    }
    if (name !== 'train_data')
      session.logs.training.warning(`The ${words} is another than the checkpoint's (${hashes})`);
  }
}

/** Every byte is verified on its way, so that it need not be read again for that. */
async function fetchFiles(session: Session, candidate: ResumeCandidate, into: string): Promise<string> {
  const { label, manifest, urls } = candidate;
  if (manifest === null || urls === null) {
    throw new CheckpointError('missing_file', label, 'has neither a directory nor URLs with a manifest');
  }
  await rm(into, { recursive: true, force: true });
  const files = manifest.files.map((expected) => {
    const url = urls[expected.path];
    if (url === undefined) throw new CheckpointError('missing_file', expected.path, `of ${label} has no URL`);
    return { url, file: path.join(into, expected.path), expected };
  });
  try {
    await downloadFiles(files, { signal: session.control.closed, durable: false, retry: FETCH_RETRY });
  } catch (error) {
    if (!(error instanceof TransferError)) throw error;
    const code = unusable[error.kind];
    throw code === undefined ? error : new CheckpointError(code, label, `cannot be used: ${error.message}`);
  }
  return into;
}

/** A store that is away for about ten minutes is waited for. */
const FETCH_RETRY = { tries: 65, baseMs: 200, maxMs: 10_000 };

/** What is wrong with the checkpoint itself, so that another one may do. */
const unusable: Partial<Record<TransferErrorKind, CheckpointErrorCode>> = {
  damaged: 'hash_mismatch',
  wrong_size: 'size_mismatch',
  missing: 'missing_file',
};

/** Whether an error says that the checkpoint is at fault, and another may do. */
function rejects(error: unknown): boolean {
  return (
    error instanceof CheckpointError ||
    error instanceof ModelError ||
    (error instanceof TrainerError && error.reason === 'invalid_checkpoint')
  );
}

function asTrainerError(error: unknown): TrainerError {
  if (error instanceof TrainerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TrainerError('invalid_checkpoint', message, 'Resume from another checkpoint.');
}
