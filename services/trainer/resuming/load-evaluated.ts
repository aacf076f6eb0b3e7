import { rm } from 'node:fs/promises';
import path from 'node:path';
import { type TrainingState, trainingStateSchema } from '../../contracts/checkpoint.ts';
import { readCheckpoint } from '../checkpoint/read-checkpoint.ts';
import { hashModel } from '../data/hash-inputs.ts';
import type { Policy } from '../learner/policy.ts';
import { asTrainerError, trainedWeights } from '../resume.ts';
import type { Session } from '../session.ts';
import { isCheckpointsFault } from './checkpoint-fault.ts';
import { fetchCandidate } from './fetch-candidate.ts';
import { type Candidate, withOwnManifest } from './own-manifest.ts';
import { requireSameInputs } from './same-inputs.ts';

/** What an evaluation has no use for, and may be larger than all the rest. */
const TRAINING_ONLY = /(^|\/)(optimizer\.pt|scheduler\.pt|rng_state[^/]*|scaler\.pt)$/;

/** What is evaluated: how far it has been trained, and its name for people. */
export interface Evaluated {
  readonly state: TrainingState;
  readonly label: string;
}

/**
 * Loads the weights of the checkpoint that is evaluated into the policy; without one it stays the model itself. No other checkpoint takes the place
 * of one that cannot be used.
 *
 * @throws TrainerError `invalid_checkpoint` when it cannot be used.
 */
export async function loadEvaluated(session: Session, policy: Policy): Promise<Evaluated> {
  const given = session.attempt.resume[0];
  if (given === undefined) return { state: trainingStateSchema.parse({}), label: session.spec.model.name };
  try {
    const candidate = await withOwnManifest(given);
    const model = await hashModel(session.attempt.model_directory);
    requireSameInputs(session, candidate, { policy, inputs: { model, tokenizer: policy.tokenizer.hash } });
    return { state: await loadWeights(session, candidate, policy), label: given.label };
  } catch (error) {
    session.control.closed.throwIfAborted();
    throw isCheckpointsFault(error) ? asTrainerError(error) : error;
  }
}

async function loadWeights(session: Session, candidate: Candidate, policy: Policy): Promise<TrainingState> {
  const fetched = path.join(session.workspace, 'evaluated');
  const { manifest: whole } = candidate;
  const manifest = whole && { ...whole, files: whole.files.filter((file) => !TRAINING_ONLY.test(file.path)) };
  const directory = candidate.directory ?? fetched;
  try {
    if (candidate.directory === null) {
      await fetchCandidate({ ...candidate, manifest }, fetched, { signal: session.control.closed });
    }
    const loaded = await readCheckpoint({ directory, manifest, verified: candidate.directory === null });
    policy.loadTrainedWeights(await trainedWeights(loaded, policy));
    return { ...loaded.trainingState, policy_version: loaded.policyVersion };
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
}
