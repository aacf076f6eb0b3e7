import type { RunSpec } from '../../contracts/run-spec.ts';

/** A prompt with a completion whose tokens are trained on or measured. */
export interface Sequence {
  readonly prompt: readonly number[];
  readonly completion: readonly number[];
}

/** Consecutive sequences that go through the model together. */
export interface MicroBatch<S extends Sequence> {
  readonly sequences: readonly S[];
  /** Place of the first one within the step. */
  readonly firstSequence: number;
  /** Place of the first completion token within the step's. */
  readonly firstToken: number;
  readonly completionTokens: number;
}

export interface MicroBatchLimits {
  readonly maxSequences: number;
  /** Tokens of all sequences together: what a forward pass holds grows with them. */
  readonly maxTokens: number;
}

/** The limits of a run. */
export function limitsOf(
  training: Pick<RunSpec['training'], 'micro_batch_tokens'>,
  maxSequences = Number.POSITIVE_INFINITY,
): MicroBatchLimits {
  return { maxSequences, maxTokens: training.micro_batch_tokens };
}

/**
 * Divides a step's sequences, in their order. A sequence beyond the limits is a batch of its own.
 * @param together how many consecutive sequences belong together and are never divided: 2 for the pairs of DPO
 */
export function microBatches<S extends Sequence>(
  sequences: readonly S[],
  limits: MicroBatchLimits,
  together = 1,
): MicroBatch<S>[] {
  const batches: MicroBatch<S>[] = [];
  let start = 0;
  let firstToken = 0;
  while (start < sequences.length) {
    let end = start;
    let [tokens, completionTokens] = [0, 0];
    while (end < sequences.length && end - start + together <= Math.max(together, limits.maxSequences)) {
      const unit = sequences.slice(end, end + together);
      const more = tokens + unit.reduce((sum, { prompt, completion }) => sum + prompt.length + completion.length, 0);
      if (end > start && more > limits.maxTokens) break;
      tokens = more;
      completionTokens += unit.reduce((sum, { completion }) => sum + completion.length, 0);
      end += unit.length;
    }
    batches.push({ sequences: sequences.slice(start, end), firstSequence: start, firstToken, completionTokens });
    firstToken += completionTokens;
    start = end;
  }
  return batches;
}
