import {
  add,
  type Code,
  constant,
  get,
  lanes,
  load,
  moduleOf,
  repeatWhile,
  set,
  shiftLeft,
  store,
  subtract,
} from './wasm-code.ts';
import { instantiate } from './wasm-instance.ts';

/** A matrix in the engine's memory: where the first one lies, and how far it is to the next row and column, all in bytes. */
export interface Numbers {
  readonly at: number;
  readonly row: number;
  readonly column: number;
}

/**
 * c += a b, a [rows, inner] and b [inner, columns]. Each sum begins with what c holds and runs over its terms in order, so its bits are those
 * of a plain loop, however many rows and columns there are, and however the terms are divided over calls.
 *
 * @param b, c their columns lie side by side.
 * @param size `rows` and `columns` are multiples of `TILES`, nothing is 0.
 */
export type EngineProduct = (a: Numbers, b: Numbers, c: Numbers, size: ProductSize) => void;

export interface ProductSize {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

/** Rows that are summed at once. */
const ROWS = 4;
/** Vectors that they are wide: the sums of a tile stay in registers. */
const VECTORS = 2;
const VECTOR_BYTES = 16;

/** What `rows` and `columns` of a product are multiples of. */
export const TILES = {
  float: { rows: ROWS, columns: 8 },
  double: { rows: ROWS, columns: 4 },
} as const;
export type Precision = keyof typeof TILES;

const products = { float: new WeakMap<object, EngineProduct>(), double: new WeakMap<object, EngineProduct>() };

/**
 * Of floats or of doubles.
 * @param memory a shared `WebAssembly.Memory`. The code for it is made here, once, of SIMD instructions that every Node.js of this project has.
 */
export function engineProduct(memory: object, precision: Precision): EngineProduct {
  const known = products[precision].get(memory);
  if (known) return known;
  const run = instantiate(assemble(precision), memory);
  const product: EngineProduct = (a, b, c, { rows, inner, columns }) =>
    run(a.at, a.row, a.column, b.at, b.row, c.at, c.row, rows, inner, columns);
  products[precision].set(memory, product);
  return product;
}

function assemble(precision: Precision): Uint8Array<ArrayBuffer> {
  const { spread, plus, times } = lanes[precision];
  let locals = 0;
  const local = () => locals++;
  const many = (count: number) => Array.from({ length: count }, local);
  const [a, aRow, aColumn, b, bRow, c, cRow, rows, inner, columns] = many(10) as [
    ...[number, number, number, number, number, number, number, number, number, number],
  ];
  const [n, k, bTile, bAt, cTile, cAt] = many(6) as [number, number, number, number, number, number];
  const aAt = many(ROWS);
  const bValues = many(VECTORS);
  const factor = local();
  const sums = Array.from({ length: ROWS }, () => many(VECTORS));

  const advance = (pointer: number, by: Code): Code => set(pointer, add(get(pointer), by));
  const left = (counter: number, by: number): Code => set(counter, subtract(get(counter), constant(by)));
  const oneTerm: Code = [
    ...bValues.flatMap((value, pair) => set(value, load(get(bAt), VECTOR_BYTES * pair))),
    ...aAt.flatMap((at, row) => [
      ...set(factor, spread(get(at))),
      ...sums[row]!.flatMap((sum, pair) => set(sum, plus(get(sum), times(get(factor), get(bValues[pair]!))))),
      ...advance(at, get(aColumn)),
    ]),
    ...advance(bAt, get(bRow)),
    ...left(k, 1),
  ];
  const oneTile: Code = [
    ...set(cAt, get(cTile)),
    ...sums.flatMap((pairs) => [
      ...pairs.flatMap((sum, pair) => set(sum, load(get(cAt), VECTOR_BYTES * pair))),
      ...advance(cAt, get(cRow)),
    ]),
    ...aAt.flatMap((at, row) => set(at, row === 0 ? get(a) : add(get(aAt[row - 1]!), get(aRow)))),
    ...set(bAt, get(bTile)),
    ...set(k, get(inner)),
    ...repeatWhile(get(k), oneTerm),
    ...set(cAt, get(cTile)),
    ...sums.flatMap((pairs) => [
      ...pairs.flatMap((sum, pair) => store(get(cAt), VECTOR_BYTES * pair, get(sum))),
      ...advance(cAt, get(cRow)),
    ]),
    ...advance(bTile, constant(VECTORS * VECTOR_BYTES)),
    ...advance(cTile, constant(VECTORS * VECTOR_BYTES)),
    ...left(n, TILES[precision].columns),
  ];
  const tileOfRows: Code = [
    ...set(bTile, get(b)),
    ...set(cTile, get(c)),
    ...set(n, get(columns)),
    ...repeatWhile(get(n), oneTile),
    ...advance(a, shiftLeft(get(aRow), Math.log2(ROWS))),
    ...advance(c, shiftLeft(get(cRow), Math.log2(ROWS))),
    ...left(rows, ROWS),
  ];
  const vectors = bValues.length + 1 + ROWS * bValues.length;
  return moduleOf({ parameters: 10, integers: 6 + ROWS, vectors }, repeatWhile(get(rows), tileOfRows));
}
