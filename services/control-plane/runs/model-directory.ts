import { constants } from 'node:fs';
import { type FileHandle, open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ModelError } from '../../contracts/model-error.ts';
import { invalidSafetensors, parseSafetensorsHeader } from '../../contracts/safetensors-header.ts';
import { JsonRefusedError, readBoundedJsonFrom } from '../../platform/bounded-json.ts';
import { ModelFetchError } from '../models/model-fetch-error.ts';
import { INDEX, isSharded, neededFiles } from '../models/needed-files.ts';

/** An index names each tensor of the largest models in some megabytes. */
const INDEX_LIMITS = { bytes: 64 * 2 ** 20, depth: 8 };
/** Headers have some hundred bytes for each tensor; a larger one is left to the trainer. */
const MAX_HEADER_BYTES = 16 * 2 ** 20;
const AGAIN = 'copy or download it again';

/**
 * What the tfjs trainer would miss in a model directory, told before a run waits for a GPU: its tokenizer, its weights, a shard, or the end of one. Of the
 * weights only the headers are read. Null when nothing is missing.
 */
export async function judgeDirectory(directory: string): Promise<string | null> {
  try {
    const names = await readdir(directory);
    const index = isSharded(names) ? await reading(join(directory, INDEX), readIndex) : null;
    const weights = neededFiles(names, index, directory, AGAIN).filter((name) => name.endsWith('.safetensors'));
    for (const name of weights) await reading(join(directory, name), checkWeights);
    return names.includes('tokenizer.json')
      ? null
      : `${directory} has no tokenizer.json, which the tfjs trainer needs; save it beside the weights (AutoTokenizer, save_pretrained)`;
  } catch (error) {
    if (error instanceof ModelError) return `${error.message}; ${AGAIN}`;
    if (error instanceof ModelFetchError) return error.message;
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    return `${directory} cannot be read (${(error as Error).message}); change its permissions, or give another directory`;
  }
}

async function readIndex(handle: FileHandle, path: string): Promise<unknown> {
  try {
    return await readBoundedJsonFrom(handle, INDEX_LIMITS);
  } catch (error) {
    if (!(error instanceof JsonRefusedError)) throw error;
    throw new ModelError('invalid_safetensors', `${path} ${error.message}`, { cause: error });
  }
}

async function checkWeights(handle: FileHandle, path: string): Promise<void> {
  const { size } = await handle.stat();
  if (size < 8) throw invalidSafetensors(path, `is ${size} bytes long, too short for a header`);
  const length = (await read(handle, 0, 8)).readBigUInt64LE();
  if (length > size - 8) {
    throw invalidSafetensors(path, `declares a header of ${length} bytes but has ${size} in all: it is truncated`);
  }
  if (length > MAX_HEADER_BYTES) return;
  parseSafetensorsHeader(await read(handle, 8, Number(length)), size - 8 - Number(length), path);
}

async function read(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** Without O_NONBLOCK opening a pipe waits for its writer for ever. */
async function reading<T>(path: string, use: (handle: FileHandle, path: string) => Promise<T>): Promise<T> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw new ModelError('invalid_safetensors', `${path} is not a file`);
    return await use(handle, path);
  } finally {
    await handle.close();
  }
}
