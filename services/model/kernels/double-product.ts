import {
  add,
  addDoubles,
  type Code,
  constant,
  get,
  load,
  loadTwice,
  moduleOf,
  multiplyDoubles,
  repeatWhile,
  set,
  shiftLeft,
  store,
  subtract,
} from './wasm-code.ts';

/** Doubles in the engine's memory: where the first one lies, and how far it is to the next row and column, all in bytes. */
export interface Doubles {
  readonly at: number;
  readonly row: number;
  readonly column: number;
}

/**
 * c += a b in double precision, a [rows, inner] and b [inner, columns]. Each sum begins with what c holds and runs over its terms in order, so its bits are those
 * of a plain loop, however many rows and columns there are, and however the terms are divided over calls.
 *
 * @param b, c their columns lie side by side.
 * @param size `rows` and `columns` are multiples of `TILE`, nothing is 0.
 */
export type DoubleProduct = (a: Doubles, b: Doubles, c: Doubles, size: ProductSize) => void;

export interface ProductSize {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

/** Rows and columns that are summed at once: 8 pairs of sums stay in registers. */
export const TILE = 4;

/** The types of Node.js leave it out. */
const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (code: Uint8Array<ArrayBuffer>) => object;
    readonly Instance: new (
      module: object,
      imports: Record<string, Record<string, object>>,
    ) => { readonly exports: Record<string, unknown> };
  };
};

const products = new WeakMap<object, DoubleProduct>();

/**
 * @param memory a `WebAssembly.Memory`. The code for it is made here, once, of SIMD instructions that every Node.js of this project has.
 */
export function doubleProduct(memory: object): DoubleProduct {
  const known = products.get(memory);
  if (known) return known;
  const instance = new wasm.Instance(new wasm.Module(assemble()), { env: { memory } });
  const run = instance.exports['run'] as (...parameters: number[]) => void;
  const product: DoubleProduct = (a, b, c, { rows, inner, columns }) =>
    run(a.at, a.row, a.column, b.at, b.row, c.at, c.row, rows, inner, columns);
  products.set(memory, product);
  return product;
}

function assemble(): Uint8Array<ArrayBuffer> {
  let locals = 0;
  const local = () => locals++;
  const many = (count: number) => Array.from({ length: count }, local);
  const [a, aRow, aColumn, b, bRow, c, cRow, rows, inner, columns] = many(10) as [
    ...[number, number, number, number, number, number, number, number, number, number],
  ];
  const [n, k, bTile, bAt, cTile, cAt] = many(6) as [number, number, number, number, number, number];
  const aAt = many(TILE);
  const bValues = many(TILE / 2);
  const factor = local();
  const sums = Array.from({ length: TILE }, () => many(TILE / 2));

  const advance = (pointer: number, by: Code): Code => set(pointer, add(get(pointer), by));
  const left = (counter: number, by: number): Code => set(counter, subtract(get(counter), constant(by)));
  const oneTerm: Code = [
    ...bValues.flatMap((value, pair) => set(value, load(get(bAt), 16 * pair))),
    ...aAt.flatMap((at, row) => [
      ...set(factor, loadTwice(get(at))),
      ...sums[row]!.flatMap((sum, pair) =>
        set(sum, addDoubles(get(sum), multiplyDoubles(get(factor), get(bValues[pair]!)))),
      ),
      ...advance(at, get(aColumn)),
    ]),
    ...advance(bAt, get(bRow)),
    ...left(k, 1),
  ];
  const oneTile: Code = [
    ...set(cAt, get(cTile)),
    ...sums.flatMap((pairs) => [
      ...pairs.flatMap((sum, pair) => set(sum, load(get(cAt), 16 * pair))),
      ...advance(cAt, get(cRow)),
    ]),
    ...aAt.flatMap((at, row) => set(at, row === 0 ? get(a) : add(get(aAt[row - 1]!), get(aRow)))),
    ...set(bAt, get(bTile)),
    ...set(k, get(inner)),
    ...repeatWhile(get(k), oneTerm),
    ...set(cAt, get(cTile)),
    ...sums.flatMap((pairs) => [
      ...pairs.flatMap((sum, pair) => store(get(cAt), 16 * pair, get(sum))),
      ...advance(cAt, get(cRow)),
    ]),
    ...advance(bTile, constant(8 * TILE)),
    ...advance(cTile, constant(8 * TILE)),
    ...left(n, TILE),
  ];
  const tileOfRows: Code = [
    ...set(bTile, get(b)),
    ...set(cTile, get(c)),
    ...set(n, get(columns)),
    ...repeatWhile(get(n), oneTile),
    ...advance(a, shiftLeft(get(aRow), Math.log2(TILE))),
    ...advance(c, shiftLeft(get(cRow), Math.log2(TILE))),
    ...left(rows, TILE),
  ];
  const vectors = bValues.length + 1 + TILE * bValues.length;
  return moduleOf({ parameters: 10, integers: 6 + TILE, vectors }, repeatWhile(get(rows), tileOfRows));
}
