import { type PackedBatch, packSequences } from '../../model/packed-batch.ts';
import type { Sequence } from './micro-batches.ts';

/** A micro-batch as the decoder takes it, and which of its rows predict completion tokens. */
export interface CompletionRows {
  readonly batch: PackedBatch;
  /** Row that predicts each completion token. */
  readonly rows: Int32Array;
  /** The completion tokens themselves. */
  readonly targets: Int32Array;
}

/** The last token of a sequence predicts nothing that is trained on, so it is left out. */
export function completionRows(sequences: readonly Sequence[]): CompletionRows {
  const total = sequences.reduce((sum, { completion }) => sum + completion.length, 0);
  const rows = new Int32Array(total);
  const targets = new Int32Array(total);
  let at = 0;
  let start = 0;
  const inputs = sequences.map(({ prompt, completion }) => {
    for (const [i, token] of completion.entries()) {
      rows[at] = start + prompt.length - 1 + i;
      targets[at] = token;
      at += 1;
    }
    start += prompt.length + completion.length - 1;
    return [...prompt, ...completion.slice(0, -1)];
  });
  return { batch: packSequences(inputs), rows, targets };
}
