import type { FloatTensor, PyDict, PyValue } from './pickle-value.ts';

/** A pickle and the storages it refers to: storage `i` goes to the entry `data/<i>`. */
export interface EncodedPickle {
  readonly bytes: Uint8Array;
  readonly storages: readonly Float32Array[];
}

/**
 * Encodes a value as torch.save does (pickle protocol 2, tensors as persistent references to their storages), without a memo, which
 * readers do not need. The same value gives the same bytes.
 *
 * @throws RangeError for an int beyond 2^53.
 */
export function encodePickle(value: PyValue<FloatTensor>): EncodedPickle {
  const storages: Float32Array[] = [];
  const body = encode(value, storages);
  return { bytes: Buffer.concat([ops('\x80\x02'), body, ops('.')]), storages };
}

function encode(value: PyValue<FloatTensor>, storages: Float32Array[]): Buffer {
  if (value === null) return ops('N');
  if (typeof value === 'boolean') return ops(value ? '\x88' : '\x89');
  if (typeof value === 'number') return encodeInt(value);
  if (typeof value === 'string') return encodeString(value);
  if (value instanceof Map) return encodeDict(value, storages);
  if (Array.isArray(value)) return Buffer.concat([ops(']('), ...encodeAll(value, storages), ops('e')]);
  const tagged = value as Exclude<typeof value, readonly unknown[] | ReadonlyMap<unknown, unknown>>;
  switch (tagged.kind) {
    case 'float':
      return encodeFloat(tagged.value);
    case 'tuple':
      return encodeTuple(tagged.items, storages);
    case 'tensor':
      return encodeTensor(tagged, storages);
  }
}

function encodeDict(dict: PyDict<FloatTensor>, storages: Float32Array[]): Buffer {
  return Buffer.concat([ops('}('), ...encodeAll([...dict].flat(), storages), ops('u')]);
}

function encodeTuple(items: readonly PyValue<FloatTensor>[], storages: Float32Array[]): Buffer {
  return Buffer.concat([ops('('), ...encodeAll(items, storages), ops('t')]);
}

function encodeAll(items: readonly PyValue<FloatTensor>[], storages: Float32Array[]): Buffer[] {
  return items.map((item) => encode(item, storages));
}

/** `_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, backward_hooks)`. */
function encodeTensor({ shape, data }: FloatTensor, storages: Float32Array[]): Buffer {
  const key = String(storages.push(data) - 1);
  return Buffer.concat([
    ops('ctorch._utils\n_rebuild_tensor_v2\n(('),
    encodeString('storage'),
    ops('ctorch\nFloatStorage\n'),
    ...encodeAll([key, 'cpu', data.length], storages),
    ops('tQ'),
    encodeInt(0),
    encodeTuple(shape, storages),
    encodeTuple(contiguousStrides(shape), storages),
    ops('\x89ccollections\nOrderedDict\n)RtR'),
  ]);
}

/** Opcodes, and arguments that are text, one byte per character. */
function ops(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/** Elements between neighbours along each dimension, row-major. */
export function contiguousStrides(shape: readonly number[]): number[] {
  let stride = 1;
  const strides = shape.map(() => 0);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= Math.max(1, shape[axis]!);
  }
  return strides;
}

function encodeInt(value: number): Buffer {
  if (!Number.isSafeInteger(value)) throw new RangeError(`${value} is no exact integer; write it as a float`);
  if (value >= 0 && value < 2 ** 8) return Buffer.from([0x4b, value]);
  if (value >= 0 && value < 2 ** 16) return Buffer.from([0x4d, value & 0xff, value >> 8]);
  const bytes = Buffer.alloc(value >= -(2 ** 31) && value < 2 ** 31 ? 5 : 10);
  if (bytes.length === 5) {
    bytes.write('J', 'latin1');
    bytes.writeInt32LE(value, 1);
    return bytes;
  }
  bytes.set([0x8a, 8]);
  bytes.writeBigInt64LE(BigInt(value), 2);
  return bytes;
}

function encodeFloat(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.write('G', 'latin1');
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

function encodeString(value: string): Buffer {
  const text = Buffer.from(value);
  const head = Buffer.alloc(5);
  head.write('X', 'latin1');
  head.writeUInt32LE(text.length, 1);
  return Buffer.concat([head, text]);
}
