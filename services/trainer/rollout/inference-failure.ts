import { remedies } from '../../contracts/reason.ts';
import { diverged } from '../diverged.ts';
import { TrainerError } from '../failure.ts';
import type { InferenceError, InferenceErrorKind } from './inference-error.ts';

/** Tries of a call until it fails, by what went wrong. `busy` is bounded by time instead. */
const TRIES: Readonly<Record<InferenceErrorKind, number>> = {
  unreachable: 5,
  unknown_model: 5,
  garbled: 3,
  // Each has waited for a whole time limit already.
  timeout: 2,
  stuck: 2,
  busy: Number.POSITIVE_INFINITY,
  not_numbers: 1,
  refused: 1,
};

/** Whether the same call would meet it again. */
export function isLasting({ kind }: InferenceError): boolean {
  return TRIES[kind] === 1;
}

/** Counts the failures of one call. */
export interface Failures {
  /** Of any kind, so far. */
  readonly total: number;
  /** Counts one. @returns whether the call may be tried again */
  add(error: InferenceError): boolean;
}

export function createFailures(): Failures {
  const counts = new Map<InferenceErrorKind, number>();
  let total = 0;
  return {
    get total() {
      return total;
    },
    add({ kind }) {
      const count = (counts.get(kind) ?? 0) + 1;
      counts.set(kind, count);
      total += 1;
      return count < TRIES[kind];
    },
  };
}

const SAME_PATHS =
  'The server has to find adapters at the path where the trainer writes them: let both see the same directory, under the same name.';
const BUSY =
  'Lower rollout.concurrency or rollout.num_rollouts, or let the server (or the proxy before it) take more requests; then resume.';
const GARBLED = 'Let inference.vllm.api_base name vLLM itself, with nothing between that changes answers; then resume.';
const STUCK =
  'A server that Tandem started is started again with the next attempt; restart one of your own. Look at what it printed (TANDEM_HOME/output/<run>/).';

/** The end of a run whose server cannot be had back. */
export function inferenceFailed(error: InferenceError): TrainerError {
  const { kind, message } = error;
  if (kind === 'not_numbers') return diverged(message);
  const reason = kind === 'timeout' || kind === 'stuck' ? 'vllm_unhealthy' : 'inference_failed';
  return new TrainerError(reason, `Inference failed: ${message}`, remedyFor(error), { cause: error });
}

function remedyFor({ kind, message }: InferenceError): string {
  if (kind === 'timeout') return remedies.vllm_unhealthy;
  if (kind === 'stuck') return STUCK;
  if (kind === 'busy') return BUSY;
  if (kind === 'garbled') return GARBLED;
  return /no adapter found|no model found/i.test(message) ? SAME_PATHS : remedies.inference_failed;
}
