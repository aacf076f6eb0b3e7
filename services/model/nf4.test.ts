import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { dequantiseNf4, NF4_LEVELS, type Nf4Tensor, quantiseNf4, SCALE_LEVELS } from './nf4.ts';

interface Case {
  readonly shape: readonly [number, number];
  readonly scale: number;
  readonly zeros: readonly [number, number];
  readonly offset: number;
  readonly cpu_offset: number;
  readonly values_sha256: string;
  readonly packed: string;
  readonly magnitudes: string;
  readonly codes: string;
  readonly cpu_codes: string;
  readonly block_max: string;
}

const golden = JSON.parse(readFileSync(new URL('../../test/golden/model/nf4.json', import.meta.url), 'utf8')) as {
  readonly levels: number[];
  readonly scale_levels: number[];
  readonly cases: Case[];
};

test('the two code books are those of bitsandbytes', () => {
  expect([...NF4_LEVELS]).toEqual(golden.levels);
  expect([...SCALE_LEVELS]).toEqual(golden.scale_levels);
});

describe.each(golden.cases)('a weight of $shape', (made) => {
  const weight = quantiseNf4(valuesOf(made), made.shape);

  test('is packed to the bytes of bitsandbytes', () => {
    expect(Buffer.from(weight.packed).equals(bytes(made.packed))).toBe(true);
  });

  test('has the magnitudes of bitsandbytes in 8 bits, less their mean, which differs by the rounding of its sum at most', () => {
    expect(weight.scales.offset).toBe(made.offset);
    expect(Math.abs(made.cpu_offset / made.offset - 1)).toBeLessThan(2e-7);
    expect(Buffer.from(weight.scales.codes).equals(bytes(made.codes))).toBe(true);
    expect(weight.scales.blockMax).toEqual(floatsOf(made.block_max));
  });

  test('has the magnitudes of its CPU kernel but for neighbours of a bound, where that kernel looks them up on a grid', () => {
    const apart = [...bytes(made.cpu_codes)].map((code, i) => Math.abs(code - weight.scales.codes[i]!));
    expect(Math.max(...apart)).toBeLessThanOrEqual(1);
    expect(apart.filter((distance) => distance > 0).length).toBeLessThanOrEqual(Math.ceil(apart.length / 100));
  });

  test('comes back as the values of bitsandbytes, to the bit', () => {
    expect(createHash('sha256').update(restored(weight)).digest('hex')).toBe(made.values_sha256);
  });

  test('comes back in parts as it does whole', () => {
    const whole = restored(weight);
    const [begin, count] = [2 * Math.floor(whole.length / 7), Math.floor(whole.length / 3) | 1];
    const part = new Float32Array(count);
    dequantiseNf4(weight, begin, part);
    expect(part).toEqual(whole.slice(begin, begin + count));
  });
});

test('a value of a level times a kept magnitude stays what it is', () => {
  const levels = Float32Array.from({ length: 128 }, (_, i) => NF4_LEVELS[i % 16]!);
  expect(restored(quantiseNf4(levels, [2, 64]))).toEqual(levels);
});

test('a weight that is no number is refused', () => {
  expect(() => quantiseNf4(Float32Array.of(1, Number.NaN, 2), [1, 3])).toThrow(/a weight is NaN/);
  expect(() => quantiseNf4(Float32Array.of(Number.NEGATIVE_INFINITY), [1, 1])).toThrow(/a weight is Infinity/);
});

function restored(weight: Nf4Tensor): Float32Array {
  const out = new Float32Array(weight.shape.reduce((product, size) => product * size, 1));
  dequantiseNf4(weight, 0, out);
  return out;
}

/** As make_nf4.py computes them. */
function valuesOf({ shape, scale, zeros }: Case): Float32Array {
  return Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => {
    const spread = (((i + 1) * 2654435761) % 4294967296) / 2147483648 - 1;
    return i >= zeros[0] && i < zeros[1] ? 0 : spread * spread * spread * scale;
  });
}

function bytes(text: string): Buffer {
  return Buffer.from(text, 'base64');
}

function floatsOf(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(bytes(text)).buffer);
}
