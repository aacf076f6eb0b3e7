import { duplicateKey } from './duplicate-key.ts';
import { ModelError } from './model-error.ts';

/** One tensor of a file: `begin` and `end` are byte offsets after the header. */
export interface TensorEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** What a safetensors file says of itself (https://github.com/huggingface/safetensors#format). */
export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorEntry>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bytes of one value. */
export const dtypeBytes: Readonly<Record<string, number>> = {
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
 * Parses a header (the JSON after the eight bytes of its length) and checks shapes, bounds, and that the tensors cover the data with no hole and no overlap.
 * @param dataBytes of the file after the header
 * @param path for messages
 * @throws ModelError `invalid_safetensors`
 */
export function parseSafetensorsHeader(header: Uint8Array, dataBytes: number, path: string): SafetensorsHeader {
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
    throw invalidSafetensors(path, `has a header that is not JSON: ${(cause as Error).message.slice(0, 200)}`, cause);
  }
  throw invalidSafetensors(path, 'has a header that is not a JSON object');
}

function parseEntry(name: string, value: unknown, path: string): TensorEntry {
  const { dtype, shape, data_offsets: offsets } = (value ?? {}) as Record<string, unknown>;
  const width = typeof dtype === 'string' && Object.hasOwn(dtypeBytes, dtype) ? dtypeBytes[dtype] : undefined;
  if (width === undefined)
    throw invalidSafetensors(path, `tensor ${name} has the unknown dtype ${JSON.stringify(dtype)}`);
  if (!isSizes(shape)) throw invalidSafetensors(path, `tensor ${name} has the shape ${JSON.stringify(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2)
    throw invalidSafetensors(path, `tensor ${name} has the offsets ${JSON.stringify(offsets)}`);
  const [begin, end] = [offsets[0]!, offsets[1]!];
  const bytes = shape.reduce((product, size) => product * size, width);
  if (end - begin !== bytes)
    throw invalidSafetensors(path, `tensor ${name} spans ${end - begin} bytes; its shape and dtype need ${bytes}`);
  return { dtype: dtype as string, shape, begin, end };
}

function checkCoverage(tensors: ReadonlyMap<string, TensorEntry>, dataBytes: number, path: string): void {
  let covered = 0;
  for (const [name, { begin, end }] of [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== covered)
      throw invalidSafetensors(path, `tensor ${name} begins at ${begin}, expected ${covered}: a hole or an overlap`);
    covered = end;
  }
  if (covered !== dataBytes)
    throw invalidSafetensors(path, `holds ${dataBytes} bytes of data; its header describes ${covered}`);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

export function invalidSafetensors(path: string, problem: string, cause?: unknown): ModelError {
  return new ModelError('invalid_safetensors', `${path} ${problem}`, cause === undefined ? {} : { cause });
}
