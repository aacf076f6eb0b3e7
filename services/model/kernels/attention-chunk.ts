import type { AttentionShape, AttentionSpan } from './attention.ts';
import { attentionBackward } from './attention-backward.ts';
import { attentionForward } from './attention-blocks.ts';
import { type EngineProduct, engineProduct } from './engine-product.ts';
import type { Heap } from './threads/heap-views.ts';

/** Where attention of packed sequences lies in the engine's memory: addresses in bytes. Each chunk is a sequence and a head of keys. */
export interface AttentionPlaces {
  /** Doubles, four for each sequence: see `spanNumbers`. */
  readonly spans: number;
  /** `scratchFloats` for each slot. */
  readonly scratch: number;
  readonly scratchFloats: number;
  readonly q: number;
  readonly k: number;
  readonly v: number;
  readonly out: number;
  /** Doubles. */
  readonly lse: number;
  /** Of the backward pass. */
  readonly gradients?: { readonly dOut: number; readonly dq: number; readonly dk: number; readonly dv: number };
}

export function spanNumbers(spans: readonly AttentionSpan[]): number[] {
  return spans.flatMap((span) => [span.queryStart, span.queryLength, span.keyStart, span.keyLength]);
}

/** As numbers for a thread. @param rows of queries, and of keys */
export function attentionParameters(shape: AttentionShape, rows: number, places: AttentionPlaces): number[] {
  const { spans, scratch, scratchFloats, q, k, v, out, lse, gradients } = places;
  const own = gradients ? [gradients.dOut, gradients.dq, gradients.dk, gradients.dv] : [];
  const { heads, kvHeads, headDim } = shape;
  return [heads, kvHeads, headDim, rows, spans, scratch, scratchFloats, q, k, v, out, lse, ...own];
}

export function forwardChunk(
  heap: Heap,
  numbers: ArrayLike<number>,
  chunk: number,
  slot: number,
  alive: () => void,
): void {
  const { shape, span, kvHead, scratch, values } = partOf(heap, numbers, chunk, slot);
  attentionForward(shape, span, kvHead, values, scratch, productWithSigns(heap, alive));
}

export function backwardChunk(
  heap: Heap,
  numbers: ArrayLike<number>,
  chunk: number,
  slot: number,
  alive: () => void,
): void {
  const { shape, span, kvHead, scratch, values, queries, keys } = partOf(heap, numbers, chunk, slot);
  const [dOut, dq] = [heap.floats(numbers[12]!, queries), heap.floats(numbers[13]!, queries)];
  const [dk, dv] = [heap.floats(numbers[14]!, keys), heap.floats(numbers[15]!, keys)];
  const gradients = { ...values, dOut, dq, dk, dv };
  attentionBackward(shape, span, kvHead, gradients, scratch, productWithSigns(heap, alive));
}

/** A chunk of a long sequence takes minutes, each of its products far less than a second. */
function productWithSigns(heap: Heap, alive: () => void): EngineProduct {
  const product = engineProduct(heap.memory, 'double');
  return (...operands) => {
    alive();
    product(...operands);
  };
}

function partOf(heap: Heap, numbers: ArrayLike<number>, chunk: number, slot: number) {
  const [heads, kvHeads, headDim, rows, spans, scratchAt, scratchFloats, q, k, v, out, lse] = Array.from(numbers) as [
    ...[number, number, number, number, number, number, number, number, number, number, number, number],
  ];
  const index = Math.floor(chunk / kvHeads);
  const [queryStart, queryLength, keyStart, keyLength] = heap.doubles(spans + 32 * index, 4) as unknown as [
    ...[number, number, number, number],
  ];
  const [queries, keys] = [rows * heads * headDim, rows * kvHeads * headDim];
  return {
    shape: { heads, kvHeads, headDim },
    span: { queryStart, queryLength, keyStart, keyLength },
    kvHead: chunk % kvHeads,
    scratch: heap.floats(scratchAt + 4 * scratchFloats * slot, scratchFloats),
    queries,
    keys,
    values: {
      q: heap.floats(q, queries),
      k: heap.floats(k, keys),
      v: heap.floats(v, keys),
      out: heap.floats(out, queries),
      lse: heap.doubles(lse, rows * heads),
    },
  };
}
