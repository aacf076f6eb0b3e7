import type { Decoder } from './decoder.ts';
import { recomputed } from './kernels/recompute.ts';
import * as tf from './tf.ts';

/** Rows of hidden states and the token that each is asked about. */
export interface AskedTokens {
  readonly rows: Int32Array;
  readonly targets: Int32Array;
}

export interface TokenStatistics {
  readonly logprobs: tf.Tensor1D;
  readonly entropy: tf.Tensor1D;
}

/** Bytes of logits that are held at a time. */
const CHUNK_BYTES = 32 * 2 ** 20;

/** By the size of the vocabulary alone, so that sums are divided in the same way on every machine. */
export function rowsPerChunk(vocabSize: number): number {
  return Math.max(1, Math.floor(CHUNK_BYTES / (4 * vocabSize)));
}

/**
 * Log-probability of each asked token and entropy, in nats, with no more logits at a time than `chunk` rows: those of a vocabulary of 150,000
 * would soon be most of the memory. Each chunk is computed again in the backward pass; one chunk alone is kept instead. A row's values and
 * its gradient are the same bits however rows are divided; the gradient of a trained head is a sum over chunks, and rounds as one.
 *
 * @param hidden [tokens, hidden] of this decoder
 */
export function tokenLogprobs(
  decoder: Decoder,
  hidden: tf.Tensor2D,
  { rows, targets }: AskedTokens,
  temperature: number,
  chunk = rowsPerChunk(decoder.config.vocabSize),
): TokenStatistics {
  const statistics = (states: tf.Tensor2D, start: number) => {
    const logits = decoder.logits(decoder.selectRows(states, rows.subarray(start, start + chunk)));
    return decoder.kernels.tokenLogprobs(logits, targets.subarray(start, start + chunk), temperature);
  };
  if (rows.length <= chunk) return statistics(hidden, 0);
  const head = headVariables(decoder);
  const parts: tf.Tensor2D[] = [];
  for (let start = 0; start < rows.length; start += chunk) {
    const both = (states: tf.Tensor2D) => {
      const { logprobs, entropy } = statistics(states, start);
      return tf.stack([logprobs, entropy]) as tf.Tensor2D;
    };
    parts.push(recomputed(hidden, head, both));
  }
  const [logprobs, entropy] = tf.unstack(tf.concat(parts, 1)) as [tf.Tensor1D, tf.Tensor1D];
  return { logprobs, entropy };
}

/**
 * Shows the logits of rows, a chunk at a time and without a copy; no gradients.
 * @param use gets the logits [count, vocabulary] of the rows from number `first` on; they live for the call only.
 */
export function readLogits(
  decoder: Decoder,
  hidden: tf.Tensor2D,
  rows: Int32Array,
  use: (logits: Float32Array, first: number, count: number) => void,
): void {
  const chunk = rowsPerChunk(decoder.config.vocabSize);
  for (let first = 0; first < rows.length; first += chunk) {
    const part = rows.subarray(first, first + chunk);
    tf.tidy(() => {
      const logits = decoder.logits(decoder.selectRows(hidden, part));
      decoder.kernels.read([logits], ([values]) => use(values!, first, part.length));
    });
  }
}

function headVariables({ config, variables }: Decoder): tf.Tensor[] {
  const name = config.tieWordEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
  return variables.flatMap((entry) => (entry.name === name ? [entry.variable as tf.Tensor] : []));
}
