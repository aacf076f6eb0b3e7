import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';

const MODEL_FILES = /^(config\.json|.*\.safetensors|.*\.safetensors\.index\.json)$/;

/** sha256 over names and contents of a model's weights and configuration, in the order of the names. */
export async function hashModel(directory: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of (await readdir(directory)).filter((entry) => MODEL_FILES.test(entry)).sort()) {
    hash.update(`${name}\0`);
    for await (const chunk of createReadStream(path.join(directory, name)) as AsyncIterable<Buffer>) hash.update(chunk);
  }
  return hash.digest('hex');
}
