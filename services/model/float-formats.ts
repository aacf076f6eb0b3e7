/** safetensors names of the float formats that are read and written. */
export type FloatType = 'F32' | 'BF16' | 'F16';

/** Every half float there is, made when the first is read: looking one up is ten times faster than working it out. */
let halfValues: Float32Array | undefined;

/** Little-endian bytes to float32 values. F32 shares the buffer with `bytes`. */
export function decodeFloats(bytes: Uint8Array<ArrayBuffer>, dtype: FloatType): Float32Array {
  if (dtype === 'F32') return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const halves = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
  const out = new Float32Array(halves.length);
  if (dtype === 'BF16') {
    const bits = new Uint32Array(out.buffer);
    for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
    return out;
  }
  halfValues ??= Float32Array.from({ length: 2 ** 16 }, (_, half) => halfToFloat(half));
  for (let i = 0; i < halves.length; i++) out[i] = halfValues[halves[i]!]!;
  return out;
}

/** float32 values to little-endian bytes; BF16 and F16 round to nearest, ties to even. */
export function encodeFloats(values: Float32Array, dtype: FloatType): Uint8Array {
  if (dtype === 'F32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  const encode = dtype === 'BF16' ? floatToBfloat : floatToHalf;
  for (let i = 0; i < bits.length; i++) halves[i] = encode(bits[i]!);
  return new Uint8Array(halves.buffer);
}

function floatToBfloat(bits: number): number {
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

function floatToHalf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 0xff;
  const fraction = bits & 0x7fffff;
  if (exponent === 255) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200);
  if (exponent < 113) return sign | roundShift(exponent === 0 ? 0 : fraction | 0x800000, 126 - exponent);
  // A carry out of the fraction correctly raises the exponent, up to infinity.
  const rounded = roundShift(((exponent - 112) << 23) | fraction, 13);
  return sign | Math.min(rounded, 0x7c00);
}

function roundShift(value: number, shift: number): number {
  if (shift > 25) return 0;
  const kept = Math.floor(value / 2 ** shift);
  const rest = value - kept * 2 ** shift;
  const half = 2 ** (shift - 1);
  return kept + (rest > half || (rest === half && kept % 2 === 1) ? 1 : 0);
}
