import { type FileHandle, open } from 'node:fs/promises';
import { ModelError } from '../contracts/model-error.ts';
import {
  dtypeBytes,
  invalidSafetensors as invalid,
  parseSafetensorsHeader,
  type TensorEntry,
} from '../contracts/safetensors-header.ts';
import { decodeFloats, encodeFloats, type FloatType } from './float-formats.ts';

export interface SafetensorsFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  /** The values of one F32, BF16 or F16 tensor, row-major. Reads that range of the file only. */
  readFloats(name: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/** A tensor in memory: row-major float32 values and their shape. */
export interface TensorData {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const MAX_HEADER_BYTES = 100_000_000;
const WRITE_BYTES = 2 ** 22;

/**
 * Opens a safetensors file (https://github.com/huggingface/safetensors#format) and checks its header: size, bounds, shapes,
 * and that the tensors cover the data with no hole and no overlap. The caller closes it.
 *
 * @throws ModelError `invalid_safetensors`.
 */
export async function openSafetensors(path: string): Promise<SafetensorsFile> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const header = await readHeader(file, size, path);
    const dataStart = 8 + header.length;
    const { tensors, metadata } = parseSafetensorsHeader(header, size - dataStart, path);
    return {
      path,
      metadata,
      tensors,
      readFloats: (name) => readFloats({ file, path, dataStart, entry: tensors.get(name), name }),
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * Writes tensors in the order given; the same tensors give the same bytes. One tensor is converted at a time, or `WRITE_BYTES` of small ones, as each
 * write is a wait: an adapter has hundreds of tensors of some kilobytes.
 *
 * @param dtype how values are stored; BF16 and F16 round to nearest, ties to even.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [name: string, tensor: TensorData]>,
  options: { readonly dtype: FloatType; readonly metadata?: Readonly<Record<string, string>> },
): Promise<void> {
  const list = [...tensors];
  const file = await open(path, 'w');
  try {
    let waiting = [encodeHeader(list, options.dtype, options.metadata ?? { format: 'pt' })];
    let size = waiting[0]!.length;
    for (const [, tensor] of list) {
      const bytes = encodeFloats(tensor.data, options.dtype);
      if (size + bytes.length > WRITE_BYTES) {
        await writeAll(file, joined(waiting));
        [waiting, size] = [[], 0];
      }
      waiting.push(bytes);
      size += bytes.length;
    }
    await writeAll(file, joined(waiting));
  } finally {
    await file.close();
  }
}

async function readHeader(file: FileHandle, size: number, path: string): Promise<Uint8Array> {
  if (size < 8) throw invalid(path, `is ${size} bytes long, too short for a header`);
  const prefix = await readRange(file, 0, 8, path);
  const length = new DataView(prefix.buffer).getBigUint64(0, true);
  if (length > MAX_HEADER_BYTES)
    throw invalid(path, `declares a header of ${length} bytes; the limit is ${MAX_HEADER_BYTES}`);
  if (8 + Number(length) > size)
    throw invalid(path, `declares a header of ${length} bytes but has ${size} in all: it is truncated`);
  return readRange(file, 8, Number(length), path);
}

async function readFloats(from: {
  file: FileHandle;
  path: string;
  dataStart: number;
  name: string;
  entry: TensorEntry | undefined;
}): Promise<Float32Array> {
  const { file, path, dataStart, name, entry } = from;
  if (entry === undefined) throw new ModelError('missing_tensor', `${path} has no tensor ${name}`);
  if (entry.dtype !== 'F32' && entry.dtype !== 'BF16' && entry.dtype !== 'F16') {
    throw invalid(path, `tensor ${name} is ${entry.dtype}; F32, BF16 and F16 can be read`);
  }
  return decodeFloats(await readRange(file, dataStart + entry.begin, entry.end - entry.begin, path), entry.dtype);
}

/** fs.read gives at most 2 GiB at a time. */
async function readRange(
  file: FileHandle,
  position: number,
  length: number,
  path: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, 2 ** 30), position + done);
    if (bytesRead === 0) throw invalid(path, 'ended while it was read');
    done += bytesRead;
  }
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, Math.min(bytes.length - done, 2 ** 30));
    done += bytesWritten;
  }
}

function encodeHeader(
  tensors: readonly (readonly [string, TensorData])[],
  dtype: FloatType,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    const end = offset + data.length * dtypeBytes[dtype]!;
    header[name] = { dtype, shape, data_offsets: [offset, end] };
    offset = end;
  }
  const text = JSON.stringify(header);
  const json = new TextEncoder().encode(text.padEnd(text.length + ((8 - (Buffer.byteLength(text) % 8)) % 8)));
  const bytes = new Uint8Array(8 + json.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}
