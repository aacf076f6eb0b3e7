import type { RopeConfig } from '../../contracts/model-config.ts';

/** Cosines and sines per position, computed when first asked for. */
export interface RopeTable {
  readonly headDim: number;
  /** Grows the table to hold positions below `positions`; gives cos and sin, each [positions or more, headDim / 2]. */
  upTo(positions: number): { readonly cos: Float32Array; readonly sin: Float32Array };
}

/** Rotary position embedding (Su et al., "RoFormer", 2021) with the scalings of `inverseFrequencies`. */
export function createRopeTable(rope: RopeConfig, headDim: number): RopeTable {
  const frequencies = inverseFrequencies(rope, headDim);
  let [rows, cos, sin] = [0, new Float32Array(0), new Float32Array(0)];
  return {
    headDim,
    upTo(positions) {
      if (positions > rows) {
        rows = Math.max(positions, rows * 2, 64);
        [cos, sin] = tabulate(frequencies, rows);
      }
      return { cos, sin };
    },
  };
}

/**
 * Angle per position for each pair of dimensions, [headDim / 2], in float32 as transformers computes it.
 * `linear` divides all of them; `llama3` only the slow ones, with a smooth passage (transformers, modeling_rope_utils.py).
 */
export function inverseFrequencies(rope: RopeConfig, headDim: number): Float32Array {
  // Rounded where torch rounds: at position 3,000 a frequency that is right to one bit less turns by 2e-4 more.
  const power = (i: number) => Math.fround(rope.theta ** Math.fround((2 * i) / headDim));
  const frequencies = Float32Array.from({ length: headDim / 2 }, (_, i) => 1 / power(i));
  if (rope.kind === 'default') return frequencies;
  if (rope.kind === 'linear') return frequencies.map((frequency) => frequency / rope.factor);
  const { factor, lowFreqFactor: low, highFreqFactor: high, originalMaxPositions: context } = rope;
  return frequencies.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength > context / low) return frequency / factor;
    if (wavelength < context / high) return frequency;
    const smooth = (context / wavelength - low) / (high - low);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/**
 * Rotates each head's halves against each other ("rotate_half": dimension i pairs with i + headDim / 2).
 *
 * @param x, out [rows, heads * headDim]
 * @param positions [rows]
 * @param direction 1 forward, -1 its inverse, which is also its gradient.
 */
export function rotate(
  table: RopeTable,
  positions: Int32Array,
  direction: 1 | -1,
  x: Float32Array,
  out: Float32Array,
): void {
  const half = table.headDim / 2;
  const { cos, sin } = table.upTo(highest(positions) + 1);
  const width = x.length / positions.length;
  for (let row = 0; row < positions.length; row++) {
    const angleAt = positions[row]! * half;
    for (let at = row * width; at < (row + 1) * width; at += table.headDim) {
      for (let i = 0; i < half; i++) {
        const c = cos[angleAt + i]!;
        const s = direction * sin[angleAt + i]!;
        const a = x[at + i]!;
        const b = x[at + half + i]!;
        out[at + i] = a * c - b * s;
        out[at + half + i] = b * c + a * s;
      }
    }
  }
}

function tabulate(frequencies: Float32Array, rows: number): [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>] {
  const half = frequencies.length;
  const cos = new Float32Array(rows * half);
  const sin = new Float32Array(rows * half);
  for (let position = 0; position < rows; position++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(position * frequencies[i]!);
      cos[position * half + i] = Math.cos(angle);
      sin[position * half + i] = Math.sin(angle);
    }
  }
  return [cos, sin];
}

function highest(positions: Int32Array): number {
  let max = 0;
  for (const position of positions) if (position > max) max = position;
  return max;
}
