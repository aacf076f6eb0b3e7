/*
 * As much of an assembler for WebAssembly as the engine's own functions need: code is lists of bytes that are put together.
 * Numbers are those of the core specification 2.0 (https://webassembly.github.io/spec/core/binary/).
 */

export type Code = readonly number[];

const [I32, V128] = [0x7f, 0x7b];

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

const simd = (operation: number, ...operands: Code[]): number[] => [0xfd, ...unsigned(operation), ...operands.flat()];
/** Alignment is a hint: 2^0 promises nothing. */
const access = (offset: number): number[] => [0, ...unsigned(offset)];

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
/** 0 to 63, which one byte holds. */
export const constant = (value: number): Code => [0x41, value];
export const add = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
export const subtract = (a: Code, b: Code): Code => [...a, ...b, 0x6b];
export const shiftLeft = (a: Code, bits: number): Code => [...a, ...constant(bits), 0x74];
/** Runs the body once, and again while the condition, worked out after it, is not 0. */
export const repeatWhile = (condition: Code, ...body: Code[]): Code => [
  ...[0x03, 0x40],
  ...body.flat(),
  ...[...condition, 0x0d, 0, 0x0b],
];

export const load = (address: Code, offset: number): Code => [...address, ...simd(0, access(offset))];
export const store = (address: Code, offset: number, value: Code): Code => [
  ...address,
  ...value,
  ...simd(11, access(offset)),
];

const binary =
  (operation: number) =>
  (a: Code, b: Code): Code => [...a, ...b, ...simd(operation)];
/** Four floats or two doubles at once. `spread` fills a vector with the number at an address. */
export const lanes = {
  float: {
    spread: (address: Code): Code => [...address, ...simd(9, access(0))],
    plus: binary(228),
    times: binary(230),
  },
  double: {
    spread: (address: Code): Code => [...address, ...simd(10, access(0))],
    plus: binary(240),
    times: binary(242),
  },
} as const;

/**
 * A module with one function, `run`, that works on the memory `env.memory` and gives nothing back.
 * @param sizes of its locals, in this order: parameters and further integers (i32), and vectors (v128)
 */
export function moduleOf(
  sizes: { readonly parameters: number; readonly integers: number; readonly vectors: number },
  body: Code,
): Uint8Array<ArrayBuffer> {
  const parameters = new Array<number>(sizes.parameters).fill(I32);
  const locals = [2, ...unsigned(sizes.integers), I32, ...unsigned(sizes.vectors), V128];
  const code = [...locals, ...body, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [0x60, ...unsigned(parameters.length), ...parameters, 0]),
    ...section(2, [...name('env'), ...name('memory'), 2, 0, 0]),
    ...section(3, [0]),
    ...section(7, [...name('run'), 0, 0]),
    ...section(10, [...unsigned(code.length), ...code]),
  ]);
}

/** With one entry. */
function section(id: number, entry: Code): number[] {
  return [id, ...unsigned(entry.length + 1), 1, ...entry];
}

function name(text: string): number[] {
  return [...unsigned(text.length), ...new TextEncoder().encode(text)];
}
