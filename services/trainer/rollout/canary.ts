import * as tf from '../../model/tf.ts';
import { brokenAsLoaded, diverged } from '../diverged.ts';
import { TrainerError } from '../failure.ts';
import { completionRows } from '../learner/completion-rows.ts';
import type { Policy } from '../learner/policy.ts';
import type { Completion, VllmClient } from './vllm-client.ts';

/** What a server said of a policy version: logprobs of a fixed prompt, and a completion made as rollouts make theirs. */
export interface Heard {
  readonly prompt: readonly number[];
  readonly drawn: Completion;
  /** Whether our own server said it, which computes the same bits. */
  readonly embedded: boolean;
}

/** Whether a server computes a policy version as the trainer does. */
export interface Canary {
  /**
   * To be called first, with what the policy is now.
   * @throws TrainerError `nan_loss` when it computes no numbers, which is no fault of a server
   */
  expect(version: number): void;
  ask(client: VllmClient, model: string, signal: AbortSignal): Promise<Heard>;
  /**
   * Compares what was heard of `model` with what the policy is now, which is what was expected last.
   * @returns the mean difference of the prompt's logprobs, in nats
   * @throws TrainerError `inference_failed`
   */
  judge(model: string, heard: Heard): number;
  /**
   * Compares what is heard of `model` with what was heard when it was judged: for a policy that has changed since.
   * @throws TrainerError `inference_failed`
   */
  recall(model: string, heard: Heard): void;
}

/** Mean difference of logprobs, in nats, that is still the same policy: vLLM rounds to bfloat16. */
const TOLERANCE = { embedded: 1e-3, vllm: 0.1 };
/** A policy that has moved by so much on average, in nats, cannot sound the same to the last bit. */
const AUDIBLE = 0.01;
const DRAWN_TOKENS = 4;
/** Servers answer it for any that is lower. */
const LOWEST_LOGPROB = -9999;

/** @param tokens of a prompt; at least two */
export function createCanary(params: {
  readonly policy: Policy;
  readonly tokens: readonly number[];
  /** That of rollouts. */
  readonly temperature: number;
  readonly maxNewTokens: number;
}): Canary {
  const { policy, tokens } = params;
  const temperature = params.temperature > 0 ? params.temperature : 1;
  const maxTokens = Math.min(DRAWN_TOKENS, params.maxNewTokens);
  let ours: readonly number[] = [];
  let first: Memory | null = null;
  let latest: Memory | null = null;

  function expect(version: number): void {
    ours = own(tokens.slice(0, 1), tokens.slice(1), 1);
    const wrong = ours.find((value) => !Number.isFinite(value));
    if (wrong === undefined) return;
    throw version === 0
      ? brokenAsLoaded(`a logprob of a fixed prompt is ${wrong}`)
      : diverged(`after ${version} updates a logprob of a fixed prompt is ${wrong}`);
  }

  async function ask(client: VllmClient, model: string, signal: AbortSignal): Promise<Heard> {
    // Not asked for logprobs of its prompt, as those go past the prefix cache that rollouts go through.
    const request = { model, prompt: tokens, n: 1, maxTokens, temperature, seed: 0, stopTokenIds: [] };
    // One that fails ends the others: each would go on at a server that is busy as it is, beside those of the next try.
    const own = new AbortController();
    const onAbort = () => own.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      // At once: a server that is busy with rollouts answers each a pass or more after it was asked.
      const [drawn, prompt, version] = await Promise.all([
        client.completions(request, own.signal),
        client.promptLogprobs(model, tokens, own.signal),
        client.version(own.signal),
      ]);
      return { prompt, drawn: drawn[0]!, embedded: version === 'tandem' };
    } finally {
      signal.removeEventListener('abort', onAbort);
      own.abort();
    }
  }

  function judge(model: string, { prompt, drawn, embedded }: Heard): number {
    const tolerance = embedded ? TOLERANCE.embedded : TOLERANCE.vllm;
    const difference = meanDifference(ours, prompt);
    if (!(difference <= tolerance)) {
      throw mistaken(model, `the logprobs of a fixed prompt differ by ${shown(difference, tolerance)}`, SAME_MODEL);
    }
    const audible = [first, latest].find(
      (past) => past !== null && meanDifference(past.ours, ours) > AUDIBLE && isSame(past.theirs, prompt),
    );
    if (audible) {
      throw mistaken(model, `it still says what it said for ${audible.model}, to the last bit`, SAME_MODEL);
    }
    const offDrawn = meanDifference(own(tokens, drawn.tokens, temperature), drawn.logprobs);
    const allowed = tolerance / Math.min(1, temperature);
    if (!(offDrawn <= allowed)) {
      throw mistaken(model, `the logprobs of a completion differ by ${shown(offDrawn, allowed)}`, SAME_LOGPROBS);
    }
    latest = { model, ours, theirs: prompt };
    first ??= latest;
    return difference;
  }

  function recall(model: string, { prompt, embedded }: Heard): void {
    if (latest?.model !== model) return;
    const tolerance = embedded ? TOLERANCE.embedded : TOLERANCE.vllm;
    const difference = meanDifference(latest.theirs, prompt);
    if (difference <= tolerance) return;
    const what = `the logprobs of a fixed prompt differ by ${shown(difference, tolerance)} from what it said before`;
    throw mistaken(model, what, SAME_MODEL);
  }

  function own(prompt: readonly number[], completion: readonly number[], at: number): readonly number[] {
    const input = completionRows([{ prompt: [...prompt], completion: [...completion] }]);
    const logprobs = tf.tidy(() => policy.tokenLogprobs(input, at).logprobs.dataSync());
    return Array.from(logprobs, (logprob) => Math.max(logprob, LOWEST_LOGPROB));
  }

  return { expect, ask, judge, recall };
}

interface Memory {
  readonly model: string;
  readonly ours: readonly number[];
  readonly theirs: readonly number[];
}

const SAME_MODEL = 'Check that the server serves the same model and applies LoRA adapters; then restart it and resume.';
const SAME_LOGPROBS =
  'Start the server with --logprobs-mode processed_logprobs, and restart it if its prefix cache may be stale; then resume.';

function mistaken(model: string, what: string, remedy: string): TrainerError {
  const message = `The inference server does not compute what the trainer computes for ${model}: ${what}.`;
  return new TrainerError('inference_failed', message, remedy);
}

function meanDifference(ours: readonly number[], theirs: readonly number[]): number {
  return ours.reduce((sum, value, i) => sum + Math.abs(value - (theirs[i] ?? Number.NaN)), 0) / ours.length;
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

function shown(difference: number, allowed: number): string {
  return `${difference.toFixed(4)} on average (allowed ${allowed})`;
}
