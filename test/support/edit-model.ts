import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Json = Record<string, unknown>;

/** Changes a JSON file of a model directory. */
export function editJson(directory: string, name: string, change: (document: Json) => unknown): void {
  const path = join(directory, name);
  const document = JSON.parse(readFileSync(path, 'utf8')) as Json;
  change(document);
  writeFileSync(path, JSON.stringify(document));
}

/** Changes the header of `model.safetensors`; the data stays where it is. */
export function editTensors(
  directory: string,
  change: (header: Record<string, { shape: number[] } | undefined>) => unknown,
): void {
  const path = join(directory, 'model.safetensors');
  const bytes = readFileSync(path);
  const end = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, end)) as Record<string, { shape: number[] } | undefined>;
  change(header);
  const text = JSON.stringify(header);
  const padded = Buffer.from(text.padEnd(Math.ceil(text.length / 8) * 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  writeFileSync(path, Buffer.concat([length, padded, bytes.subarray(end)]));
}
