import type { DataOrder, DataPosition } from './data-order.ts';
import { type ExampleSource, inParts } from './example-source.ts';

/** How a step is filled: with whole examples, of so many tokens together at most. */
export interface Packing<E> {
  readonly maxTokens: number;
  readonly tokensOf: (example: E) => number;
}

/**
 * The examples of the next step: in the order of the data, until the next one would go beyond `maxTokens`, at least one, and none of the next
 * epoch. A function of the position alone, so that is all there is to resume from, though steps differ in their number of examples.
 *
 * @param ahead how many examples are looked at together
 */
export async function takePacked<E>(params: {
  readonly order: Pick<DataOrder, 'take'>;
  readonly source: Pick<ExampleSource<E>, 'take'>;
  readonly from: DataPosition;
  readonly packing: Packing<E>;
  readonly ahead: number;
}): Promise<{ readonly examples: readonly E[]; readonly next: DataPosition }> {
  const { order, source, packing, ahead } = params;
  const examples: E[] = [];
  let position = params.from;
  let tokens = 0;
  for (;;) {
    const { indices, next } = order.take(position, ahead);
    const found = await source.take(indices);
    const fitting = fill(found.map(packing.tokensOf), packing.maxTokens, tokens);
    examples.push(...found.slice(0, fitting.count));
    tokens = fitting.tokens;
    if (fitting.count < found.length) return { examples, next: order.take(position, fitting.count).next };
    if (next.offset === 0) return { examples, next };
    position = next;
  }
}

/**
 * How many steps so many epochs take. Each epoch has its own order, so one may take more steps than another; of a part of an epoch, the
 * part of its steps, rounded up.
 *
 * @param sizes tokens of each example, by its index
 */
export function packedSteps(
  order: DataOrder,
  sizes: Uint32Array,
  { epochs, maxTokens }: { readonly epochs: number; readonly maxTokens: number },
): number {
  let steps = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    const { indices } = order.take({ epoch, offset: 0 }, order.size);
    const ordered = Array.from(indices, (index) => sizes[index]!);
    let count = 0;
    for (let at = 0; at < ordered.length; count++) at += fill(ordered, maxTokens, 0, at).count;
    steps += Math.ceil(count * Math.min(1, epochs - epoch));
  }
  return steps;
}

/** Tokens of each example of a source, in one pass over it. */
export async function exampleSizes<E>(
  source: ExampleSource<E>,
  tokensOf: (example: E) => number,
): Promise<Uint32Array> {
  const sizes = new Uint32Array(source.size);
  let at = 0;
  for await (const part of inParts(source)) {
    for (const example of part) sizes[at++] = tokensOf(example);
  }
  return sizes;
}

/** How many of the sizes fit behind the tokens there are already. */
function fill(
  sizes: readonly number[],
  maxTokens: number,
  before: number,
  from = 0,
): { count: number; tokens: number } {
  let tokens = before;
  let at = from;
  while (at < sizes.length && (tokens === 0 || tokens + sizes[at]! <= maxTokens)) tokens += sizes[at++]!;
  return { count: at - from, tokens };
}
