/** Where a row's bytes are. */
export interface RowSpan {
  /** Place of its file in the data set. */
  readonly file: number;
  readonly start: number;
  readonly length: number;
  readonly line: number;
  /** What its id counts. */
  readonly number: number;
}

/** The places of all rows of a data set, in 24 bytes each. */
export interface RowIndex {
  readonly size: number;
  push(span: RowSpan): void;
  at(index: number): RowSpan;
}

/** Grows by doubling. */
export function createRowIndex(): RowIndex {
  let size = 0;
  // Offsets go beyond 32 bits; doubles hold them exactly up to 8 PiB.
  let starts = new Float64Array(1024);
  let rest = new Uint32Array(4 * 1024);

  return {
    get size() {
      return size;
    },
    push({ file, start, length, line, number }) {
      if (size === starts.length) {
        const [more, moreRest] = [new Float64Array(2 * size), new Uint32Array(8 * size)];
        more.set(starts);
        moreRest.set(rest);
        [starts, rest] = [more, moreRest];
      }
      starts[size] = start;
      rest.set([file, length, line, number], 4 * size);
      size += 1;
    },
    at(index) {
      if (!(index >= 0 && index < size)) throw new RangeError(`there is no row ${index} of ${size}`);
      const [file, length, line, number] = rest.subarray(4 * index, 4 * index + 4) as unknown as number[];
      return { file: file!, start: starts[index]!, length: length!, line: line!, number: number! };
    },
  };
}
