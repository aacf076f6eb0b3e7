import { ModelError, type ModelErrorCode } from '../contracts/model-error.ts';
import { exitReasons, type Reason, remedies } from '../contracts/reason.ts';
import { EngineMemoryError, EngineOutOfMemory } from '../model/errors.ts';
import { TransferError } from '../platform/transfer/transfer-error.ts';
import { AgentError } from './agent/agent-client.ts';

/** A failure whose reason is known: `message` says what and where, `remedy` what the user can do. */
export class TrainerError extends Error {
  readonly reason: Reason;
  readonly remedy: string;

  constructor(reason: Reason, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TrainerError';
    this.reason = reason;
    this.remedy = remedy;
  }
}

/** What a `failed` event says, and the exit code that says the same. */
export interface Failure {
  readonly reason: Reason;
  readonly message: string;
  readonly remedy: string;
  readonly exitCode: number;
}

const EXIT_TRAINER_CRASHED = 70;

/** Explains any error in the words of `contracts/reason.ts`. */
export function explainFailure(error: unknown): Failure {
  const known = recognise(error);
  const code = Object.entries(exitReasons).find(([, reason]) => reason === known.reason)?.[0];
  return {
    reason: known.reason,
    message: known.message,
    remedy: known.remedy,
    exitCode: code === undefined ? EXIT_TRAINER_CRASHED : Number(code),
  };
}

function recognise(error: unknown): TrainerError {
  if (error instanceof TrainerError) return error;
  if (error instanceof EngineMemoryError) {
    return new TrainerError(
      'oom_host',
      error.message,
      'Lower training.batch_size (4 to 2), model.max_seq_length, model.lora.r (16 to 8) or rollout.concurrency (4 to 2), or use a smaller model.',
    );
  }
  if (error instanceof EngineOutOfMemory) {
    const reason = error.memory === 'gpu' ? 'oom_gpu' : 'oom_host';
    return new TrainerError(reason, error.message, remedies[reason]);
  }
  if (error instanceof ModelError) return fromModelError(error);
  if (error instanceof AgentError) {
    return new TrainerError('control_plane_error', `Refused: ${error.message}`, remedies.control_plane_error, {
      cause: error,
    });
  }
  if (error instanceof TransferError) return fromTransferError(error);
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new TrainerError('disk_full', `The disk is full: ${textOf(error)}`, remedies.disk_full);
  }
  if (error instanceof RangeError && /array buffer allocation|invalid (typed )?array length/i.test(error.message)) {
    return new TrainerError('oom_host', `The host has no memory left: ${error.message}`, remedies.oom_host);
  }
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    const message = `A part of the trainer is missing: ${textOf(error)}`;
    return new TrainerError('installation_broken', message, remedies.installation_broken);
  }
  return new TrainerError(
    'trainer_crashed',
    `The trainer met an unexpected error: ${textOf(error)}`,
    "Look at the end of the trainer's output.log; resume the run, and report the error if it comes back.",
  );
}

function fromModelError(error: ModelError): TrainerError {
  if (error.code === 'engine_unavailable') {
    return new TrainerError(
      'invalid_spec',
      error.message,
      'Install what TANDEM_TF asks for (./scripts/install-tensorflow.sh), or unset it: then the fastest engine that is there computes. Unset, TANDEM_THREADS is a thread for each core.',
    );
  }
  if (error.code === 'invalid_input') {
    return new TrainerError('invalid_data', error.message, modelRemedies.invalid_tokenizer);
  }
  return new TrainerError('invalid_model', error.message, modelRemedies[error.code]);
}

const ONE_MODEL = 'Point model.name at a directory whose config.json and weights are of one model.';
const OWN_TOKENIZER = 'Use the tokenizer that belongs to this model.';
const modelRemedies: Readonly<Record<Exclude<ModelErrorCode, 'invalid_input' | 'engine_unavailable'>, string>> = {
  unsupported_model: 'Point model.name at a model of a supported architecture.',
  invalid_config: 'Point model.name at a whole model directory, as save_pretrained writes it.',
  invalid_safetensors: 'Copy or download the weights again.',
  missing_tensor: ONE_MODEL,
  unexpected_tensor: ONE_MODEL,
  tensor_shape: ONE_MODEL,
  invalid_adapter: 'Use the adapter with the base model and the targets that it was trained with.',
  invalid_tokenizer: OWN_TOKENIZER,
  vocabulary_mismatch: OWN_TOKENIZER,
};

function fromTransferError({ kind, message }: TransferError): TrainerError {
  const text = `The object store: ${message}`;
  if (kind === 'full') return new TrainerError('disk_full', text, 'Free space in the object store, then resume.');
  const remedy =
    kind === 'unreachable'
      ? 'Look whether the object store runs and answers at that address.'
      : "Check bucket, keys and clocks (TANDEM_S3_*); the control plane's log says what the store answers.";
  return new TrainerError('control_plane_error', text, remedy);
}

function errorCode(error: unknown): string | undefined {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const { code } = at as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
  }
  return undefined;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
