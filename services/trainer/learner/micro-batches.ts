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

/** Divides a step's sequences, in their order. A sequence longer than the limit is a batch of its own. */
export function microBatches<S extends Sequence>(sequences: readonly S[], limits: MicroBatchLimits): MicroBatch<S>[] {
  const batches: MicroBatch<S>[] = [];
  let start = 0;
  let firstToken = 0;
  while (start < sequences.length) {
    let end = start;
    let [tokens, completionTokens] = [0, 0];
    while (end < sequences.length && end - start < limits.maxSequences) {
      const { prompt, completion } = sequences[end]!;
      const more = tokens + prompt.length + completion.length;
      if (end > start && more > limits.maxTokens) break;
      tokens = more;
      completionTokens += completion.length;
      end += 1;
    }
    batches.push({ sequences: sequences.slice(start, end), firstSequence: start, firstToken, completionTokens });
    firstToken += completionTokens;
    start = end;
  }
  return batches;
}
