import type { Decoder } from '../../model/decoder.ts';
import type { KvCache } from '../../model/kv-cache.ts';
import type { LoraAdapter } from '../../model/lora.ts';
import { packSequences } from '../../model/packed-batch.ts';
import * as tf from '../../model/tf.ts';
import type { LogitsRow } from './sampling.ts';

/** Tokens one sequence takes in: the next piece of its prompt, or the token it drew last. */
export interface Feed {
  readonly tokens: readonly number[];
  readonly cache: KvCache;
  readonly adapter: LoraAdapter | undefined;
  /** Which of the tokens' rows are needed as logits, in ascending order. */
  readonly rows: readonly number[];
  /** Gets those rows, in order. The values live for this call only. */
  onLogits(row: number, logits: LogitsRow): void;
}

/** Logits are computed in pieces of at most this size: prompts with logprobs times large vocabularies are the widest tensors. */
const LOGITS_BYTES = 64 * 2 ** 20;

/**
 * One forward pass of a model over the new tokens of all `feeds`, each with its own cache and adapter.
 *
 * @throws EngineMemoryError before any cache counts a new token: the same feeds, or fewer, can be tried again.
 */
export function forward(decoder: Decoder, feeds: readonly Feed[]): ReadLogits {
  const hidden = tf.tidy(() =>
    decoder.hidden(packSequences(feeds.map((feed) => feed.tokens)), {
      caches: feeds.map((feed) => feed.cache),
      adapter: feeds.map((feed) => feed.adapter),
    }),
  );
  return () => {
    try {
      readLogits(decoder, hidden, feeds);
    } finally {
      hidden.dispose();
    }
  };
}

/** The second half of a forward pass: the caches already hold the tokens, so an error here ends the sequences it concerns. */
export type ReadLogits = () => void;

function readLogits(decoder: Decoder, hidden: tf.Tensor2D, feeds: readonly Feed[]): void {
  const wanted = wantedRows(feeds);
  const vocabulary = decoder.config.vocabSize;
  const perPiece = Math.max(1, Math.floor(LOGITS_BYTES / (vocabulary * Float32Array.BYTES_PER_ELEMENT)));
  for (let start = 0; start < wanted.length; start += perPiece) {
    const piece = wanted.slice(start, start + perPiece);
    tf.tidy(() => {
      const rows = Int32Array.from(piece, ({ packed }) => packed);
      const logits = decoder.logits(decoder.selectRows(hidden, rows));
      decoder.kernels.read([logits], ([values]) => {
        for (const [i, { feed, row }] of piece.entries()) {
          feed.onLogits(row, { values: values!, at: i * vocabulary, vocabulary });
        }
      });
    });
  }
}

function wantedRows(feeds: readonly Feed[]): { readonly feed: Feed; readonly row: number; readonly packed: number }[] {
  let start = 0;
  return feeds.flatMap((feed) => {
    const at = start;
    start += feed.tokens.length;
    return feed.rows.map((row) => ({ feed, row, packed: at + row }));
  });
}
