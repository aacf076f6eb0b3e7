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
  /** Tokens of all sequences together. */
  readonly maxTokens: number;
  /** Completion tokens of all sequences together: each has a row of logits. */
  readonly maxCompletionTokens: number;
}

const TOKENS = 4096;
const LOGITS_BYTES = 256 * 2 ** 20;

/** Limits that bound memory, by the size of the model's vocabulary alone, so that batches are the same on every machine. */
export function defaultLimits(vocabSize: number, maxSequences = Number.POSITIVE_INFINITY): MicroBatchLimits {
  return {
    maxSequences,
    maxTokens: TOKENS,
    maxCompletionTokens: Math.max(1, Math.floor(LOGITS_BYTES / (4 * vocabSize))),
  };
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
      const moreCompletion = completionTokens + unit.reduce((sum, { completion }) => sum + completion.length, 0);
      if (end > start && (more > limits.maxTokens || moreCompletion > limits.maxCompletionTokens)) break;
      [tokens, completionTokens] = [more, moreCompletion];
      end += unit.length;
    }
    batches.push({ sequences: sequences.slice(start, end), firstSequence: start, firstToken, completionTokens });
    firstToken += completionTokens;
    start = end;
  }
  return batches;
}
