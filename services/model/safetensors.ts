import { type FileHandle, open } from 'node:fs/promises';
import { ModelError } from '../contracts/model-error.ts';
import { duplicateKey } from './duplicate-key.ts';
import { decodeFloats, encodeFloats, type FloatType } from './float-formats.ts';

/** One tensor of a file: `begin` and `end` are byte offsets after the header. */
export interface TensorEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

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
const BYTES: Readonly<Record<string, number>> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  U16: 2,
  I16: 2,
  F16: 2,
  BF16: 2,
  U32: 4,
  I32: 4,
  F32: 4,
  U64: 8,
  I64: 8,
  F64: 8,
};

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
    const { tensors, metadata } = parseHeader(header, size - dataStart, path);
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
 * Writes tensors in the order given; the same tensors give the same bytes. One tensor is converted at a time.
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
    await writeAll(file, encodeHeader(list, options.dtype, options.metadata ?? { format: 'pt' }));
    for (const [, tensor] of list) await writeAll(file, encodeFloats(tensor.data, options.dtype));
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

function parseHeader(header: Uint8Array, dataBytes: number, path: string) {
  const json = parseJson(header, path);
  const metadata = (json['__metadata__'] ?? {}) as Record<string, string>;
  const tensors = new Map<string, TensorEntry>();
  for (const [name, value] of Object.entries(json)) {
    if (name !== '__metadata__') tensors.set(name, parseEntry(name, value, path));
  }
  checkCoverage(tensors, dataBytes, path);
  return { metadata, tensors };
}

function parseJson(header: Uint8Array, path: string): Record<string, unknown> {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(header);
    const value: unknown = JSON.parse(text);
    const duplicate = duplicateKey(text);
    if (duplicate !== undefined) throw new Error(`it has ${duplicate} twice`);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw invalid(path, `has a header that is not JSON: ${(cause as Error).message.slice(0, 200)}`, cause);
  }
  throw invalid(path, 'has a header that is not a JSON object');
}

function parseEntry(name: string, value: unknown, path: string): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const width = typeof dtype === 'string' && Object.hasOwn(BYTES, dtype) ? BYTES[dtype] : undefined;
  if (width === undefined) throw invalid(path, `tensor ${name} has the unknown dtype ${JSON.stringify(dtype)}`);
  if (!isSizes(shape)) throw invalid(path, `tensor ${name} has the shape ${JSON.stringify(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2)
    throw invalid(path, `tensor ${name} has the offsets ${JSON.stringify(offsets)}`);
  const [begin, end] = [offsets[0]!, offsets[1]!];
  const bytes = shape.reduce((product, size) => product * size, width);
  if (end - begin !== bytes)
    throw invalid(path, `tensor ${name} spans ${end - begin} bytes; its shape and dtype need ${bytes}`);
  return { dtype: dtype as string, shape, begin, end };
}

function checkCoverage(tensors: ReadonlyMap<string, TensorEntry>, dataBytes: number, path: string): void {
  let covered = 0;
  for (const [name, { begin, end }] of [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered)
      throw invalid(path, `tensor ${name} begins at ${begin}, expected ${covered}: a hole or an overlap`);
    covered = end;
  }
  if (covered !== dataBytes) throw invalid(path, `holds ${dataBytes} bytes of data; its header describes ${covered}`);
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
    const end = offset + data.length * BYTES[dtype]!;
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

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function invalid(path: string, problem: string, cause?: unknown): ModelError {
  return new ModelError('invalid_safetensors', `${path} ${problem}`, cause === undefined ? {} : { cause });
}
