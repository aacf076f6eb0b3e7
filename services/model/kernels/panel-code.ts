import {
  add,
  type Code,
  constant,
  either,
  floatConstant,
  get,
  lanes,
  load,
  moduleOf,
  repeatWhile,
  set,
  shuffle,
  spreadFloat,
  store,
  subtract,
} from './wasm-code.ts';

/** Columns of a panel. */
export const PANEL = 8;
const VECTOR_BYTES = 16;
/** Vectors of a row of a panel. */
const VECTORS = 2;
export const ROW_BYTES = VECTORS * VECTOR_BYTES;
const FLOAT_BYTES = 4;

/**
 * Code of `run(a, aRow, b, bPanel, c, cRow, rows, inner, added, scale)`: c = (a b) scale, or c + (a b) scale where `added` is not 0.
 * a [rows, inner] and c lie row by row, b is `panels` panels of [inner, 8], whose columns lie side by side in c. Every sum begins with 0 and runs over
 * its terms in order, so its bits do not depend on `height` or `panels`. Distances (aRow, bPanel, cRow) are in bytes; `inner` is not 0.
 * @param height rows that are summed at once: `rows` is a multiple of it, and not 0
 */
export function tilesCode(height: number, panels: number): Uint8Array<ArrayBuffer> {
  const { spread, plus, times } = lanes.float;
  let locals = 0;
  const local = () => locals++;
  const many = (count: number) => Array.from({ length: count }, local);
  const [a, aRow, b, bPanel, c, cRow, rows, inner, added, scale] = many(10) as [
    ...[number, number, number, number, number, number, number, number, number, number],
  ];
  const [k, cAt] = many(2) as [number, number];
  const aAt = many(height);
  const bAt = many(panels);
  const factor = local();
  const values = many(panels * VECTORS);
  const sums = aAt.map(() => many(panels * VECTORS));

  const advance = (pointer: number, by: Code): Code => set(pointer, add(get(pointer), by));
  const spaced = (pointers: readonly number[], start: number, distance: number): Code =>
    pointers.flatMap((at, i) => set(at, i === 0 ? get(start) : add(get(pointers[i - 1]!), get(distance))));
  // No jump is saved by several terms at once: V8 would load them all first, and run out of registers.
  const oneTerm: Code = [
    ...values.flatMap((value, i) => set(value, load(get(bAt[i >> 1]!), VECTOR_BYTES * (i & 1)))),
    ...aAt.flatMap((at, row) => [
      ...set(factor, spread(get(at))),
      ...sums[row]!.flatMap((sum, i) => set(sum, plus(get(sum), times(get(factor), get(values[i]!))))),
      ...advance(at, constant(FLOAT_BYTES)),
    ]),
    ...bAt.flatMap((at) => advance(at, constant(ROW_BYTES))),
    ...set(k, subtract(get(k), constant(1))),
  ];
  const eachSum = (value: (sum: Code, place: Code) => Code): Code => [
    ...set(cAt, get(c)),
    ...sums.flatMap((row) => [
      ...row.flatMap((sum, i) =>
        store(get(cAt), VECTOR_BYTES * i, value(times(get(sum), get(factor)), load(get(cAt), VECTOR_BYTES * i))),
      ),
      ...advance(cAt, get(cRow)),
    ]),
  ];
  const oneTile: Code = [
    ...set(factor, spreadFloat(floatConstant(0))),
    ...sums.flat().flatMap((sum) => set(sum, get(factor))),
    ...spaced(aAt, a, aRow),
    ...spaced(bAt, b, bPanel),
    ...set(k, get(inner)),
    ...repeatWhile(get(k), oneTerm),
    ...set(factor, spreadFloat(get(scale))),
    ...either(
      get(added),
      eachSum((sum, place) => plus(place, sum)),
      eachSum((sum) => sum),
    ),
    ...aAt.flatMap(() => [...advance(a, get(aRow)), ...advance(c, get(cRow))]),
    ...set(rows, subtract(get(rows), constant(height))),
  ];
  const vectors = 1 + values.length + sums.flat().length;
  return moduleOf(
    { parameters: 9, floats: 1, integers: 2 + height + panels, vectors },
    repeatWhile(get(rows), oneTile),
  );
}

/**
 * Code of `run(from, rowDistance, blockDistance, to, blocks)`: blocks of 8 x 8 floats, each transposed. Their rows lie `rowDistance` bytes apart, they themselves
 * `blockDistance`; what is written has them one after the other. `blocks` is not 0.
 */
export function transposesCode(): Uint8Array<ArrayBuffer> {
  const [from, rowDistance, blockDistance, to, blocks, ...ats] = Array.from({ length: 5 + PANEL }, (_, i) => i) as [
    ...[number, number, number, number, number],
    ...number[],
  ];
  const firstVector = 5 + PANEL;
  const [inputs, halves] = [0, 4].map((at) => [0, 1, 2, 3].map((i) => firstVector + at + i)) as [number[], number[]];
  /** Four by four, from rows `down` and on, columns `right` and on. */
  const quarter = (down: number, right: number): Code => [
    ...inputs.flatMap((value, i) => set(value, load(get(ats[down + i]!), FLOAT_BYTES * right))),
    // Rows 0 and 1, 2 and 3, interleaved: low columns, then high ones.
    ...halves.flatMap((value, i) => {
      const [top, bottom] = [get(inputs[i < 2 ? 0 : 2]!), get(inputs[i < 2 ? 1 : 3]!)];
      return set(value, shuffle(top, bottom, i % 2 === 0 ? [0, 4, 1, 5] : [2, 6, 3, 7]));
    }),
    ...[0, 1, 2, 3].flatMap((column) => {
      const [top, bottom] = column < 2 ? [halves[0]!, halves[2]!] : [halves[1]!, halves[3]!];
      const pairs = column % 2 === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7];
      const at = ROW_BYTES * (right + column) + FLOAT_BYTES * down;
      return store(get(to), at, shuffle(get(top), get(bottom), pairs));
    }),
  ];
  const oneBlock: Code = [
    ...ats.flatMap((at, i) => set(at, i === 0 ? get(from) : add(get(ats[i - 1]!), get(rowDistance)))),
    ...[0, 4].flatMap((down) => [0, 4].flatMap((right) => quarter(down, right))),
    ...set(from, add(get(from), get(blockDistance))),
    ...set(to, add(get(to), constant(PANEL * ROW_BYTES))),
    ...set(blocks, subtract(get(blocks), constant(1))),
  ];
  return moduleOf({ parameters: 5, integers: PANEL, vectors: 8 }, repeatWhile(get(blocks), oneBlock));
}
