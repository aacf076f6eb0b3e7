import { open } from 'node:fs/promises';
import { decodeFloats } from '../../model/float-formats.ts';
import { CheckpointError } from './checkpoint-error.ts';
import { decodePickle } from './pickle-reader.ts';
import type { FloatTensor, PyValue } from './pickle-value.ts';
import { contiguousStrides, encodePickle } from './pickle-writer.ts';
import { type StoredTensor, storageTypes, type TorchType } from './torch-globals.ts';
import { openZip, type ZipFile } from './zip-reader.ts';
import { writeZip } from './zip-writer.ts';

export interface TorchFile {
  readonly value: PyValue<StoredTensor>;
  /** Values of a tensor, row-major, as float32. Reads the tensor's storage only. */
  readFloats(tensor: StoredTensor): Promise<Float32Array>;
  close(): Promise<void>;
}

const MAX_PICKLE_BYTES = 64 * 2 ** 20;
/** Views of one storage are read one by one; tied weights share theirs, and a million tensors over one storage are a bomb. */
const MAX_SHARING = 8;
const ITEM_BYTES = Object.fromEntries(Object.values(storageTypes).map(({ dtype, bytes }) => [dtype, bytes])) as Record<
  TorchType,
  number
>;

/**
 * Writes what `torch.save(value, <name>)` would: `torch.load(weights_only=True)` opens it. The same value gives the same bytes.
 *
 * @param name stem of the file's final name, which torch uses as the folder inside.
 */
export async function writeTorchFile(file: string, name: string, value: PyValue<FloatTensor>): Promise<void> {
  const { bytes, storages } = encodePickle(value);
  const handle = await open(file, 'w');
  try {
    await writeZip(handle, [
      [`${name}/data.pkl`, bytes],
      [`${name}/byteorder`, Buffer.from('little')],
      ...storages.map((data, i) => [`${name}/data/${i}`, bytesOf(data)] as const),
      [`${name}/version`, Buffer.from('3\n')],
    ]);
  } finally {
    await handle.close();
  }
}

/**
 * Opens a file that torch.save wrote (the ZIP format of torch 1.6 and newer). Nothing in it is executed: opcodes and names beyond tensors
 * and plain values are refused. The caller closes it.
 *
 * @throws CheckpointError `invalid_file`.
 */
export async function openTorchFile(file: string): Promise<TorchFile> {
  const zip = await openZip(file);
  try {
    const folder = zip.names.find((name) => /^[^/]+\/data\.pkl$/.test(name))?.replace('/data.pkl', '');
    if (folder === undefined) throw invalid(file, 'is a ZIP file but not one of torch.save: it has no data.pkl');
    await checkByteOrder(zip, folder, file);
    const limit = MAX_SHARING * zip.names.reduce((sum, name) => sum + (zip.size(name) ?? 0), 0);
    let read = 0;
    return {
      value: await readValue(zip, `${folder}/data.pkl`, file),
      readFloats: async (tensor) => {
        read += tensor.elements * ITEM_BYTES[tensor.dtype];
        if (read > limit) throw invalid(file, 'has tensors that share their values many times over');
        return readFloats(zip, folder, tensor, file);
      },
      close: () => zip.close(),
    };
  } catch (error) {
    await zip.close();
    throw error;
  }
}

async function checkByteOrder(zip: ZipFile, folder: string, file: string): Promise<void> {
  const entry = `${folder}/byteorder`;
  if (zip.size(entry) === undefined) return;
  const order = (await zip.read(entry)).toString('latin1', 0, 16);
  if (order !== 'little')
    throw invalid(
      file,
      `was written with byte order ${JSON.stringify(order)}; save it again on a little-endian machine`,
    );
}

async function readValue(zip: ZipFile, entry: string, file: string): Promise<PyValue<StoredTensor>> {
  const size = zip.size(entry) ?? 0;
  if (size > MAX_PICKLE_BYTES) throw invalid(file, `has a pickle of ${size} bytes; the limit is ${MAX_PICKLE_BYTES}`);
  const bytes = await zip.read(entry);
  try {
    return decodePickle(bytes);
  } catch (cause) {
    throw invalid(file, cause instanceof Error ? cause.message : 'has a damaged pickle', cause);
  }
}

async function readFloats(zip: ZipFile, folder: string, tensor: StoredTensor, file: string): Promise<Float32Array> {
  const entry = `${folder}/data/${tensor.key}`;
  const expected = tensor.elements * ITEM_BYTES[tensor.dtype];
  const size = zip.size(entry);
  if (size !== expected)
    throw invalid(file, `has ${size ?? 'no'} bytes in data/${tensor.key}; its tensor needs ${expected}`);
  return gather(decode(await zip.read(entry), tensor, file), tensor);
}

function decode(bytes: Buffer, { dtype, elements, key }: StoredTensor, file: string): Float32Array {
  const buffer = bytes.buffer as ArrayBuffer;
  const aligned =
    bytes.byteOffset % 8 === 0 ? new Uint8Array(buffer, bytes.byteOffset, bytes.length) : new Uint8Array(bytes);
  switch (dtype) {
    case 'float32':
      return decodeFloats(aligned, 'F32');
    case 'bfloat16':
      return decodeFloats(aligned, 'BF16');
    case 'float16':
      return decodeFloats(aligned, 'F16');
    case 'float64':
      return Float32Array.from(new Float64Array(aligned.buffer, aligned.byteOffset, elements));
    case 'int64':
      return Float32Array.from(new BigInt64Array(aligned.buffer, aligned.byteOffset, elements), Number);
    default:
      throw invalid(file, `holds a tensor of ${dtype} in data/${key}; floats and int64 can be read`);
  }
}

/** The tensor's own values of its storage, row-major. */
function gather(storage: Float32Array, { offset, shape, strides }: StoredTensor): Float32Array {
  const count = shape.reduce((product, size) => product * size, 1);
  if (contiguousStrides(shape).every((stride, axis) => stride === strides[axis] || shape[axis]! <= 1)) {
    return storage.length === count ? storage : storage.slice(offset, offset + count);
  }
  const out = new Float32Array(count);
  const index = shape.map(() => 0);
  for (let i = 0, at = offset; i < count; i++) {
    out[i] = storage[at]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      at -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

function bytesOf(data: Float32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function invalid(file: string, problem: string, cause?: unknown): CheckpointError {
  return new CheckpointError('invalid_file', file, problem, cause === undefined ? {} : { cause });
}
