/** A seed: a safe integer or an int64; only its low 64 bits count. */
export type Seed = number | bigint;

/**
 * Counter-based random bits: Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 * The answer is a function of the seed and up to four counters alone, so nothing has to be saved to resume a stream.
 *
 * @param seed 64-bit key.
 * @param counters unsigned 32-bit integers; missing ones are 0.
 * @throws RangeError for more than four counters, or one that is not in [0, 2^32).
 */
export function random(seed: Seed, ...counters: readonly number[]): [number, number, number, number] {
  if (counters.length > 4) throw new RangeError(`at most 4 counters, got ${counters.length}: fold some into the seed`);
  const [key0, key1] = seedWords(seed);
  const out = new Uint32Array(4);
  philox(word(counters[0]), word(counters[1]), word(counters[2]), word(counters[3]), key0, key1, out, 0);
  return [out[0]!, out[1]!, out[2]!, out[3]!];
}

/**
 * Many blocks at once: words 4 i .. 4 i + 3 of `out` are `random(seed, first + i, ...counters)`.
 * @param out its length is a multiple of 4.
 */
export function fillRandom(out: Uint32Array, seed: Seed, first: number, ...counters: readonly number[]): Uint32Array {
  const [key0, key1] = seedWords(seed);
  const [c1, c2, c3] = [word(counters[0]), word(counters[1]), word(counters[2])];
  for (let at = 0; at < out.length; at += 4) philox(word(first + at / 4), c1, c2, c3, key0, key1, out, at);
  return out;
}

/** Uniform in [0, 1) with 53 bits. */
export function uniform(seed: Seed, ...counters: readonly number[]): number {
  const [a, b] = random(seed, ...counters);
  return ((a >>> 5) * 0x4000000 + (b >>> 6)) / 2 ** 53;
}

/** Standard normal (Box and Muller, 1958). */
export function normal(seed: Seed, ...counters: readonly number[]): number {
  const [a, b, c, d] = random(seed, ...counters);
  const radius = Math.sqrt(-2 * Math.log(unitOpen(a, b)));
  return radius * Math.cos(2 * Math.PI * (((c >>> 5) * 0x4000000 + (d >>> 6)) / 2 ** 53));
}

/** A random order of 0..n-1 (Fisher and Yates), a function of the seed and up to three counters. */
export function permutation(n: number, seed: Seed, ...counters: readonly number[]): Int32Array {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(uniform(seed, i, ...counters) * (i + 1));
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}

/** A new, independent seed for a named purpose: `deriveSeed(run.seed, 'rollout', step)`. */
export function deriveSeed(seed: Seed, ...labels: readonly (string | number)[]): bigint {
  let derived = BigInt.asUintN(64, BigInt(seed));
  for (const label of labels) {
    const [low, high, kind] = typeof label === 'string' ? [fnv1a(label), label.length, 1] : [...numberWords(label), 0];
    const [a, b] = random(derived, low!, high!, kind!, 0x5eed);
    derived = (BigInt(b) << 32n) | BigInt(a);
  }
  return derived;
}

/** Fills with uniform values in [low, high). One block gives four values. */
export function fillUniform(
  out: Float32Array,
  low: number,
  high: number,
  seed: Seed,
  ...counters: readonly number[]
): Float32Array {
  const words = fillRandom(new Uint32Array(Math.ceil(out.length / 4) * 4), seed, 0, ...counters);
  for (let i = 0; i < out.length; i++) out[i] = low + (high - low) * (words[i]! / 2 ** 32);
  return out;
}

/** Fills with normal values of the given standard deviation. */
export function fillNormal(
  out: Float32Array,
  deviation: number,
  seed: Seed,
  ...counters: readonly number[]
): Float32Array {
  for (let i = 0; i < out.length; i++) out[i] = deviation * normal(seed, i, ...counters);
  return out;
}

function philox(
  a: number,
  b: number,
  c: number,
  d: number,
  key0: number,
  key1: number,
  out: Uint32Array,
  at: number,
): void {
  let c0 = a;
  let c1 = b;
  let c2 = c;
  let c3 = d;
  let k0 = key0;
  let k1 = key1;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  out[at] = c0;
  out[at + 1] = c1;
  out[at + 2] = c2;
  out[at + 3] = c3;
}

/** High 32 bits of the product of two unsigned words, from 16-bit parts: each partial sum stays below 2^32. */
function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const middle = a1 * b0 + ((a0 * b0) >>> 16);
  const carry = a0 * b1 + (middle & 0xffff);
  return a1 * b1 + (middle >>> 16) + (carry >>> 16);
}

function seedWords(seed: Seed): readonly [number, number] {
  if (typeof seed === 'number') return numberWords(seed);
  const bits = BigInt.asUintN(64, seed);
  return [Number(bits & 0xffffffffn), Number(bits >> 32n)];
}

function numberWords(value: number): readonly [number, number] {
  if (!Number.isSafeInteger(value)) throw new RangeError(`a seed must be a safe integer or a bigint, got ${value}`);
  return [value >>> 0, Math.floor(value / 2 ** 32) >>> 0];
}

function word(counter: number | undefined): number {
  if (counter === undefined) return 0;
  if (!Number.isInteger(counter) || counter < 0 || counter > 0xffffffff) {
    throw new RangeError(`a counter must be an integer in [0, 2^32), got ${counter}`);
  }
  return counter;
}

/** Uniform in (0, 1], safe under a logarithm. */
function unitOpen(a: number, b: number): number {
  return ((a >>> 5) * 0x4000000 + (b >>> 6) + 1) / 2 ** 53;
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}
