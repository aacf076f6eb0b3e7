import { ModelError } from '../contracts/model-error.ts';

/**
 * Weights in 4 bits: NormalFloat with double quantisation (Dettmers et al., "QLoRA", 2023, sections 3 and appendix E), to the bit as
 * bitsandbytes stores them. Values are divided by the largest magnitude of their block of 64 and rounded to the nearest of 16 levels;
 * the magnitudes, less their mean, are themselves kept in 8 bits, with one float32 per 256 of them: 4.127 bits a weight.
 */
export interface Nf4Tensor {
  /** [out, in], as on disk: blocks run over the rows as they lie. */
  readonly shape: readonly number[];
  /** Two values in a byte, the first in its upper half. */
  readonly packed: Uint8Array;
  readonly scales: QuantisedScales;
}

/** The largest magnitude of each block, in 8 bits. */
export interface QuantisedScales {
  readonly codes: Uint8Array;
  /** One per 256 codes. */
  readonly blockMax: Float32Array;
  /** Mean of the magnitudes, which was taken off before. */
  readonly offset: number;
}

/** Values that share a magnitude, and magnitudes that share one. */
const BLOCK = 64;
const SCALE_BLOCK = 256;

/** The smallest magnitude that is divided by: bitsandbytes' guard for blocks of zeros. */
const TINY = Math.fround(1e-38);

/** The 16 levels, as published: quantiles of a normal distribution, with an exact zero (bitsandbytes' table). */
export const NF4_LEVELS = Float32Array.of(
  ...[-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334],
  ...[-0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
  ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1],
);

/** The 256 levels of magnitudes: finer towards zero (Dettmers, "8-Bit Approximations for Parallelism in Deep Learning", 2015). */
export const SCALE_LEVELS = dynamicLevels();

const NF4_BOUNDS = boundsOf(NF4_LEVELS);
const SCALE_BOUNDS = boundsOf(SCALE_LEVELS);

/** @throws ModelError `invalid_safetensors` for values that are not finite. */
export function quantiseNf4(values: Float32Array, shape: readonly number[]): Nf4Tensor {
  const magnitudes = new Float32Array(Math.ceil(values.length / BLOCK));
  const packed = new Uint8Array(Math.ceil(values.length / 2));
  for (let block = 0; block < magnitudes.length; block++) {
    magnitudes[block] = packBlock(values, block * BLOCK, packed);
  }
  return { shape, packed, scales: quantiseScales(magnitudes) };
}

function quantiseScales(magnitudes: Float32Array): QuantisedScales {
  const offset = mean(magnitudes);
  const codes = new Uint8Array(magnitudes.length);
  const blockMax = new Float32Array(Math.ceil(magnitudes.length / SCALE_BLOCK));
  for (let block = 0; block < blockMax.length; block++) {
    const end = Math.min(magnitudes.length, (block + 1) * SCALE_BLOCK);
    let max = 0;
    for (let i = block * SCALE_BLOCK; i < end; i++) max = Math.max(max, Math.abs(Math.fround(magnitudes[i]! - offset)));
    blockMax[block] = max;
    const inverse = Math.fround(1 / Math.max(max, TINY));
    for (let i = block * SCALE_BLOCK; i < end; i++) {
      codes[i] = nearest(SCALE_BOUNDS, Math.fround(Math.fround(magnitudes[i]! - offset) * inverse));
    }
  }
  return { codes, blockMax, offset };
}

/** The values from `begin`, an even place, on, as many as `out` holds. */
export function dequantiseNf4(tensor: Nf4Tensor, begin: number, out: Float32Array): void {
  const { packed, scales } = tensor;
  const end = begin + out.length;
  const levels = new Float32Array(16);
  for (let block = Math.floor(begin / BLOCK); block * BLOCK < end; block++) {
    const scale = scaleOf(scales, block);
    for (let i = 0; i < 16; i++) levels[i] = NF4_LEVELS[i]! * scale;
    const from = Math.max(begin, block * BLOCK) - begin;
    const to = Math.min(end, (block + 1) * BLOCK) - begin;
    for (let i = from, byte = (begin + from) >>> 1; i < to; i += 2, byte++) {
      const pair = packed[byte]!;
      out[i] = levels[pair >>> 4]!;
      if (i + 1 < to) out[i + 1] = levels[pair & 15]!;
    }
  }
}

/** Magnitude of a block as it is got back. */
function scaleOf({ codes, blockMax, offset }: QuantisedScales, block: number): number {
  const part = Math.fround(SCALE_LEVELS[codes[block]!]! * blockMax[Math.floor(block / SCALE_BLOCK)]!);
  return Math.fround(part + offset);
}

/** @returns the magnitude that the block was divided by. */
function packBlock(values: Float32Array, start: number, packed: Uint8Array): number {
  const end = Math.min(values.length, start + BLOCK);
  let max = 0;
  for (let i = start; i < end; i++) {
    const size = Math.abs(values[i]!);
    if (size > max || Number.isNaN(size)) max = size;
  }
  if (!Number.isFinite(max))
    throw new ModelError('invalid_safetensors', `a weight is ${max}: it has no place in 4 bits`);
  const divisor = Math.max(max, TINY);
  if (end - start < BLOCK) {
    packLast(values, start, divisor, packed);
    return divisor;
  }
  const inverse = Math.fround(1 / divisor);
  for (let i = start; i < end; i += 2) {
    const first = nearest(NF4_BOUNDS, Math.fround(values[i]! * inverse));
    packed[i >>> 1] = (first << 4) | nearest(NF4_BOUNDS, Math.fround(values[i + 1]! * inverse));
  }
  return max;
}

/** A last block that is not full is divided, where others are multiplied by the inverse: that is how bitsandbytes rounds. */
function packLast(values: Float32Array, start: number, divisor: number, packed: Uint8Array): void {
  const level = (i: number) => nearest(NF4_BOUNDS, Math.fround((values[i] ?? 0) / divisor));
  for (let i = start; i < values.length; i += 2) packed[i >>> 1] = (level(i) << 4) | level(i + 1);
}

/** The nearest of 2^n levels: how many bounds lie below the value. */
function nearest(bounds: Float32Array, value: number): number {
  let level = 0;
  for (let step = (bounds.length + 1) / 2; step > 0; step >>= 1) {
    if (value > bounds[level + step - 1]!) level += step;
  }
  return level;
}

/** Between two levels lies their mean; a value on it is rounded down. */
function boundsOf(levels: Float32Array): Float32Array {
  return levels.slice(1).map((level, i) => Math.fround(level + levels[i]!) / 2);
}

/** In double precision: a sum in float32, as bitsandbytes has it, depends on the order in which a machine adds. */
function mean(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return Math.fround(sum / Math.max(1, values.length));
}

/** For each of seven powers of ten the middles of 2^i equal parts of [0.1, 1], with both signs; 0 and 1 besides. All in float32. */
function dynamicLevels(): Float32Array {
  const levels = [0, 1];
  for (let exponent = 0; exponent < 7; exponent++) {
    const parts = 2 ** exponent;
    const power = Math.fround(10 ** (exponent - 6));
    const edges = equalParts(parts);
    for (let i = 0; i < parts; i++) {
      const middle = Math.fround(Math.fround(edges[i]! + edges[i + 1]!) / 2);
      levels.push(Math.fround(power * middle), -Math.fround(power * middle));
    }
  }
  return Float32Array.from(levels).sort();
}

/** Edges of equal parts of [0.1, 1], from both ends to the middle. */
function equalParts(parts: number): Float32Array {
  const [start, end] = [Math.fround(0.1), 1];
  const step = Math.fround(Math.fround(end - start) / parts);
  return Float32Array.from({ length: parts + 1 }, (_, i) =>
    i < (parts + 1) / 2 ? start + step * i : end - step * (parts - i),
  );
}
