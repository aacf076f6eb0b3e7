import type { FoundCheckpoint } from './find-checkpoints.ts';
import { type ImportFolder, LeftOutError } from './import-folder.ts';

/** The format's own limit (https://github.com/huggingface/safetensors#format). */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

/**
 * Looks at the first 8 bytes of every safetensors file, the length of its header: what no trainer could open is not copied. The rest is the trainer's to judge.
 * @throws LeftOutError when the header is longer than the file or than the format allows
 */
export async function checkWeights(folder: ImportFolder, { files }: FoundCheckpoint): Promise<void> {
  for (const { from } of files) {
    if (from.endsWith('.safetensors')) await checkHeaderLength(folder, from);
  }
}

async function checkHeaderLength(folder: ImportFolder, path: string): Promise<void> {
  const size = folder.files.get(path)?.size ?? 0;
  const handle = await folder.open(path);
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(LENGTH_BYTES), 0, LENGTH_BYTES, 0);
    if (bytesRead < LENGTH_BYTES) throw new LeftOutError(`${path} is ${size} bytes long, too short for safetensors`);
    const length = buffer.readBigUInt64LE(0);
    if (length > MAX_HEADER_BYTES) {
      throw new LeftOutError(`${path} declares a header of ${length} bytes; safetensors allows ${MAX_HEADER_BYTES}`);
    }
    if (LENGTH_BYTES + Number(length) > size) {
      throw new LeftOutError(
        `${path} declares a header of ${length} bytes but has ${size} in all: it is cut off or no safetensors file`,
      );
    }
  } finally {
    await handle.close();
  }
}
