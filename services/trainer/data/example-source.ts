/**
 * The examples of a data set by their index, of which none need be in memory: they are read, parsed and tokenised when they are taken.
 * Rows that cannot be used have no index.
 */
export interface ExampleSource<E> {
  readonly size: number;
  /** Of what the indices stand for: the bytes of the files, and which of their rows are used as what. */
  readonly sha256: string;
  /** @throws TrainerError `invalid_data` when a file has changed since it was opened, or cannot be read any more. */
  take(indices: ArrayLike<number>): Promise<readonly E[]>;
}

/** The first examples alone. */
export function firstExamples<E>(source: ExampleSource<E>, limit: number): ExampleSource<E> {
  return { ...source, size: Math.min(source.size, limit) };
}

/** All examples in order, in parts that memory holds. */
export async function* inParts<E>(source: ExampleSource<E>, count = 512): AsyncGenerator<readonly E[]> {
  for (let from = 0; from < source.size; from += count) {
    const length = Math.min(count, source.size - from);
    yield await source.take(Int32Array.from({ length }, (_, i) => from + i));
  }
}

/**
 * Keeps what was taken last, so that a small data set is read and tokenised once and not in every epoch.
 * @param weigh of one example, in the unit of `capacity`
 */
export function cached<E>(
  source: ExampleSource<E>,
  { capacity, weigh }: { readonly capacity: number; readonly weigh: (example: E) => number },
): ExampleSource<E> {
  /** Oldest use first. */
  const held = new Map<number, E>();
  let weight = 0;

  const keep = (index: number, example: E) => {
    held.set(index, example);
    weight += weigh(example);
    for (const [oldest, old] of held) {
      if (weight <= capacity) break;
      held.delete(oldest);
      weight -= weigh(old);
    }
  };

  return {
    ...source,
    async take(indices) {
      const wanted = Array.from(indices);
      const found = new Map<number, E>();
      for (const index of wanted) {
        const example = held.get(index);
        if (example === undefined) continue;
        found.set(index, example);
        held.delete(index);
        held.set(index, example);
      }
      const missing = [...new Set(wanted)].filter((index) => !found.has(index));
      const read = missing.length === 0 ? [] : await source.take(missing);
      for (const [i, index] of missing.entries()) {
        found.set(index, read[i]!);
        keep(index, read[i]!);
      }
      return wanted.map((index) => found.get(index)!);
    },
  };
}
