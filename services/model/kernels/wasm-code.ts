/*
 * As much of an assembler for WebAssembly as the engine's own functions need: code is lists of bytes that are put together.
 * Numbers are those of the core specification 2.0 (https://webassembly.github.io/spec/core/binary/).
 */

export type Code = readonly number[];

const [I32, F32, V128] = [0x7f, 0x7d, 0x7b];

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
}

const simd = (operation: number, ...operands: Code[]): number[] => [0xfd, ...unsigned(operation), ...operands.flat()];
/** Alignment is a hint: 2^0 promises nothing. */
const access = (offset: number): number[] => [0, ...unsigned(offset)];

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number, value: Code): Code => [...value, 0x21, ...unsigned(local)];
export const constant = (value: number): Code => [0x41, ...signed(value)];
export const add = (a: Code, b: Code): Code => [...a, ...b, 0x6a];
export const subtract = (a: Code, b: Code): Code => [...a, ...b, 0x6b];
export const shiftLeft = (a: Code, bits: number): Code => [...a, ...constant(bits), 0x74];
/** Runs the body once, and again while the condition, worked out after it, is not 0. */
export const repeatWhile = (condition: Code, ...body: Code[]): Code => [
  ...[0x03, 0x40],
  ...body.flat(),
  ...[...condition, 0x0d, 0, 0x0b],
];
/** Runs one or the other. */
export const either = (condition: Code, then: Code, otherwise: Code = []): Code => [
  ...[...condition, 0x04, 0x40],
  ...then,
  ...(otherwise.length > 0 ? [0x05, ...otherwise] : []),
  0x0b,
];

export const load = (address: Code, offset: number): Code => [...address, ...simd(0, access(offset))];
export const store = (address: Code, offset: number, value: Code): Code => [
  ...address,
  ...value,
  ...simd(11, access(offset)),
];
/** Four of the eight floats of two vectors. @param lanes 0 to 3 of the first, 4 to 7 of the second */
export const shuffle = (a: Code, b: Code, lanes: readonly number[]): Code => [
  ...a,
  ...b,
  ...simd(
    13,
    lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)),
  ),
];
export const floatConstant = (value: number): Code => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)];
/** A vector of one float. */
export const spreadFloat = (value: Code): Code => [...value, ...simd(19)];

const binary =
  (operation: number) =>
  (a: Code, b: Code): Code => [...a, ...b, ...simd(operation)];
/** Four floats or two doubles at once. `spread` fills a vector with the number at an address. */
export const lanes = {
  float: {
    spread: (address: Code): Code => [...address, ...simd(9, access(0))],
    plus: binary(228),
    minus: binary(229),
    times: binary(230),
    over: binary(231),
    root: (value: Code): Code => [...value, ...simd(227)],
  },
  double: {
    spread: (address: Code): Code => [...address, ...simd(10, access(0))],
    plus: binary(240),
    times: binary(242),
  },
} as const;

/** What WebAssembly addresses, in its pages of 64 KiB: every memory that code runs on must say that it may become so large. */
export const MOST_PAGES = 65_536;

/**
 * A module with one function, `run`, that works on the shared memory `env.memory` and gives nothing back.
 * @param sizes of its locals, in this order: parameters that are integers (i32) and floats (f32), further integers, and vectors (v128)
 */
export function moduleOf(
  sizes: {
    readonly parameters: number;
    readonly floats?: number;
    readonly integers: number;
    readonly vectors: number;
  },
  body: Code,
): Uint8Array<ArrayBuffer> {
  const floats = new Array<number>(sizes.floats ?? 0).fill(F32);
  const parameters = [...new Array<number>(sizes.parameters).fill(I32), ...floats];
  const locals = [2, ...unsigned(sizes.integers), I32, ...unsigned(sizes.vectors), V128];
  const code = [...locals, ...body, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [0x60, ...unsigned(parameters.length), ...parameters, 0]),
    ...section(2, [...name('env'), ...name('memory'), 2, SHARED_WITH_MAXIMUM, 0, ...unsigned(MOST_PAGES)]),
    ...section(3, [0]),
    ...section(7, [...name('run'), 0, 0]),
    ...section(10, [...unsigned(code.length), ...code]),
  ]);
}

const SHARED_WITH_MAXIMUM = 3;

/** With one entry. */
function section(id: number, entry: Code): number[] {
  return [id, ...unsigned(entry.length + 1), 1, ...entry];
}

function name(text: string): number[] {
  return [...unsigned(text.length), ...new TextEncoder().encode(text)];
}
