import { rm } from 'node:fs/promises';
import path from 'node:path';
import { type Manifest, type TrainingState, trainingStateSchema } from '../contracts/checkpoint.ts';
import { type LoraConfig, loraScale } from '../model/lora.ts';
import type { Weights } from '../model/weights.ts';
import { CheckpointError } from './checkpoint/checkpoint-error.ts';
import { type LoadedCheckpoint, readCheckpoint } from './checkpoint/read-checkpoint.ts';
import { readWeights } from './checkpoint/read-weights.ts';
import { describeRestored, type RestoreMessage, restoreOptimizer } from './checkpoint/restore.ts';
import { explainFailure, TrainerError } from './failure.ts';
import type { Learner } from './learner/learner.ts';
import type { Policy } from './learner/policy.ts';
import { resumedFrom } from './log/messages.ts';
import { isCheckpointsFault } from './resuming/checkpoint-fault.ts';
import { fetchCandidate } from './resuming/fetch-candidate.ts';
import { type Candidate, withOwnManifest } from './resuming/own-manifest.ts';
import { requireSameInputs } from './resuming/same-inputs.ts';
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
  const { attempt } = session;
  if (attempt.resume.length === 0) return { state: trainingStateSchema.parse({}), resumedStep: null };
  const reasons: string[] = [];
  for (const given of attempt.resume) {
    const usable = <T>(use: () => Promise<T>) => unlessRejected(session, given.label, reasons, use);
    const candidate = await usable(() => withOwnManifest(given));
    if (candidate === null) continue;
    // Older checkpoints of the run have the same inputs: none of them would do either.
    requireSameInputs(session, candidate, params);
    const point = await usable(() => restore(session, candidate, params));
    if (point !== null) return point;
  }
  throw new TrainerError(
    'invalid_checkpoint',
    `None of ${attempt.resume.length} checkpoints can be used. ${reasons.join('; ')}`,
    'Resume from another checkpoint, or start again with training.start_fresh: true.',
  );
}

/** Null when the checkpoint is at fault: then the reason is told, and kept for the end. */
async function unlessRejected<T>(
  session: Session,
  label: string,
  reasons: string[],
  use: () => Promise<T>,
): Promise<T | null> {
  try {
    return await use();
  } catch (error) {
    session.control.closed.throwIfAborted();
    if (!isCheckpointsFault(error)) throw error;
    const { message } = explainFailure(asTrainerError(error));
    reasons.push(`${label}: ${message}`);
    session.records.append([
      {
        kind: 'event',
        name: 'checkpoint_rejected',
        message: `${label} cannot be used: ${message}`,
        data: { checkpoint: label },
      },
    ]);
    session.logs.training.warning(`Checkpoint rejected: ${label} | ${message}`);
    return null;
  }
}

async function restore(
  session: Session,
  candidate: Candidate,
  { policy, learner, inputs }: { policy: Policy; learner: Learner; inputs: Readonly<Record<string, string>> },
): Promise<StartingPoint> {
  const fetched = path.join(session.workspace, 'resume');
  const { manifest } = candidate;
  const directory = candidate.directory ?? fetched;
  try {
    if (candidate.directory === null) await fetchCandidate(candidate, fetched, { signal: session.control.closed });
    const loaded = await readCheckpoint({ directory, manifest, verified: candidate.directory === null });
    policy.loadTrainedWeights(await trainedWeights(loaded, policy));
    learner.reload();
    const optimizer = restoreOptimizer(learner.optimizer, loaded);
    const messages = [...describeVerified(directory, manifest), optimizer, ...describeRestored(loaded)];
    const state = stateOf(session, candidate, loaded, inputs);
    report(session, candidate, messages, state);
    return { state, resumedStep: state.global_step };
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
}

/** What a checkpoint holds of the policy. @throws CheckpointError when it is of another kind or scale */
export async function trainedWeights(loaded: LoadedCheckpoint, policy: Policy): Promise<Weights> {
  const weights = await readWeights(loaded.directory, loaded.layout.weights, policy.config);
  const found = weights.kind === 'lora' ? 'a LoRA adapter' : 'full weights';
  if ((weights.kind === 'lora') !== (policy.lora !== null)) {
    throw new CheckpointError(
      'state_mismatch',
      loaded.directory,
      `holds ${found}; set model.use_lora as it was trained`,
    );
  }
  if (weights.kind === 'full') return weights.weights;
  if (policy.lora !== null) requireSameScale(loaded.directory, weights.adapter.config, policy.lora);
  return weights.adapter.weights;
}

/** Under another scale the same matrices are another model, and nothing else would notice. */
function requireSameScale(directory: string, found: LoraConfig, wanted: LoraConfig): void {
  if (found.r !== wanted.r || Math.abs(loraScale(found) - loraScale(wanted)) <= 1e-9 * loraScale(wanted)) return;
  throw new CheckpointError(
    'state_mismatch',
    directory,
    `has an adapter that is multiplied by ${loraScale(found)}, and this run by ${loraScale(wanted)}; set model.lora.alpha: ${loraScale(found) * wanted.r}`,
  );
}

function stateOf(
  session: Session,
  candidate: Candidate,
  loaded: LoadedCheckpoint,
  inputs: Readonly<Record<string, string>>,
): TrainingState {
  const state = { ...loaded.trainingState, policy_version: loaded.policyVersion };
  const trained = candidate.manifest?.inputs['train_data'];
  const changed = trained !== undefined && trained !== inputs['train_data'];
  if (changed) {
    session.logs.training.warning('The training data has changed since the checkpoint: it starts at its beginning');
  }
  if (changed || session.spec.checkpoint.ignore_data_skip) {
    state.data_position = { epoch: 0, offset: 0 };
    delete state.rollouts_ahead;
  }
  return state;
}

function describeVerified(directory: string, manifest: Manifest | null): RestoreMessage[] {
  if (manifest !== null) return [];
  return [{ level: 'WARNING', text: `⚠ No hashes recorded in ${directory}: its files were not verified` }];
}

function report(session: Session, candidate: Candidate, messages: readonly RestoreMessage[], state: TrainingState) {
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

export function asTrainerError(error: unknown): TrainerError {
  if (error instanceof TrainerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TrainerError('invalid_checkpoint', message, 'Resume from another checkpoint.');
}
