import { ModelError } from '../contracts/model-error.ts';
import type { AttentionSpan } from './kernels/attention.ts';
import type { KvCache } from './kv-cache.ts';
import type { LoraAdapter } from './lora.ts';

/** Sequences one after another, with no padding. */
export interface PackedBatch {
  readonly tokens: Int32Array;
  /** Tokens per sequence; they add up to tokens.length. */
  readonly lengths: readonly number[];
}

/** The order in which a batch is computed, and where everything is in it. */
export interface RowPlan {
  readonly tokens: Int32Array;
  /** Per row: place in its sequence, counting what is cached. */
  readonly positions: Int32Array;
  /** Per row: the sequence's number in the batch as given. */
  readonly sequences: Int32Array;
  readonly spans: readonly AttentionSpan[];
  readonly caches: readonly KvCache[] | undefined;
  /** Runs of rows that use the same adapter. */
  readonly groups: readonly AdapterGroup[];
  /** Where each row of the batch as given is now; absent when nothing moved. */
  readonly restore: Int32Array | undefined;
}

export interface AdapterGroup {
  readonly start: number;
  readonly count: number;
  readonly adapter: LoraAdapter | undefined;
}

/** Packs token lists. */
export function packSequences(sequences: readonly ArrayLike<number>[]): PackedBatch {
  const lengths = sequences.map((sequence) => sequence.length);
  const tokens = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const sequence of sequences) {
    tokens.set(sequence, at);
    at += sequence.length;
  }
  return { tokens, lengths };
}

/**
 * Orders a batch so that sequences with the same adapter are neighbours.
 *
 * @param adapters one for all, or one per sequence (undefined: the base model)
 * @throws ModelError `invalid_input` when lengths, tokens, caches or adapters do not fit together.
 */
export function planRows(
  batch: PackedBatch,
  vocabulary: number,
  caches?: readonly KvCache[],
  adapters?: LoraAdapter | readonly (LoraAdapter | undefined)[],
): RowPlan {
  checkBatch(batch, vocabulary, caches);
  const perSequence = batch.lengths.map((_, i) => adapterOf(adapters, i, batch.lengths.length));
  const kinds = [...new Set(perSequence)];
  const order = kinds.flatMap((kind) => batch.lengths.map((_, i) => i).filter((i) => perSequence[i] === kind));
  return layOut(batch, order, perSequence, caches, kinds.length > 1);
}

function layOut(
  batch: PackedBatch,
  order: readonly number[],
  adapters: readonly (LoraAdapter | undefined)[],
  caches: readonly KvCache[] | undefined,
  moved: boolean,
): RowPlan {
  const starts = startsOf(batch.lengths);
  const size = batch.tokens.length;
  const [tokens, positions, sequences, restore] = [0, 1, 2, 3].map(() => new Int32Array(size)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ];
  const spans: AttentionSpan[] = [];
  const groups: AdapterGroup[] = [];
  let row = 0;
  for (const sequence of order) {
    const count = batch.lengths[sequence]!;
    const past = caches?.[sequence]?.length ?? 0;
    spans.push({ queryStart: row, queryLength: count, keyStart: caches ? 0 : row, keyLength: past + count });
    const last = groups.at(-1);
    const adapter = adapters[sequence];
    if (last && last.adapter === adapter) groups[groups.length - 1] = { ...last, count: last.count + count };
    else groups.push({ start: row, count, adapter });
    for (let i = 0; i < count; i++, row++) {
      tokens[row] = batch.tokens[starts[sequence]! + i]!;
      positions[row] = past + i;
      sequences[row] = sequence;
      restore[starts[sequence]! + i] = row;
    }
  }
  const orderedCaches = caches && order.map((sequence) => caches[sequence]!);
  return { tokens, positions, sequences, spans, caches: orderedCaches, groups, restore: moved ? restore : undefined };
}

function checkBatch({ tokens, lengths }: PackedBatch, vocabulary: number, caches?: readonly KvCache[]): void {
  const sum = lengths.reduce((total, length) => total + length, 0);
  if (
    lengths.length === 0 ||
    lengths.some((length) => !Number.isInteger(length) || length < 1) ||
    sum !== tokens.length
  ) {
    throw new ModelError(
      'invalid_input',
      `a batch needs lengths of 1 or more that add up to its ${tokens.length} tokens, got ${sum}`,
    );
  }
  const stray = tokens.findIndex((token) => token < 0 || token >= vocabulary);
  if (stray >= 0) {
    throw new ModelError(
      'invalid_input',
      `token ${tokens[stray]} at ${stray} is outside the vocabulary of ${vocabulary}`,
    );
  }
  if (caches && (caches.length !== lengths.length || new Set(caches).size !== caches.length)) {
    throw new ModelError(
      'invalid_input',
      `${lengths.length} sequences need as many different caches, got ${caches.length}`,
    );
  }
}

function adapterOf(
  adapters: LoraAdapter | readonly (LoraAdapter | undefined)[] | undefined,
  sequence: number,
  count: number,
): LoraAdapter | undefined {
  if (adapters === undefined || 'modules' in adapters) return adapters;
  if (adapters.length === count) return adapters[sequence];
  throw new ModelError('invalid_input', `${count} sequences need as many adapters, got ${adapters.length}`);
}

function startsOf(lengths: readonly number[]): number[] {
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return at - length;
  });
}
