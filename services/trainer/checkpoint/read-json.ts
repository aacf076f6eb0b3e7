import { readFile } from 'node:fs/promises';
import type { z } from 'zod';
import { CheckpointError } from './checkpoint-error.ts';

/**
 * Reads a JSON object of a checkpoint. Python writes NaN and Infinity, which JSON has not: they read as null.
 *
 * @throws CheckpointError `invalid_file` naming the field.
 */
export async function readCheckpointJson<T extends z.ZodType>(file: string, schema: T): Promise<z.output<T>> {
  const value = parse(await readFile(file, 'utf8'), file);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CheckpointError('invalid_file', file, 'is not a JSON object');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new CheckpointError('invalid_file', file, `has a wrong value at ${issue?.path.join('.')}: ${issue?.message}`);
}

function parse(text: string, file: string): unknown {
  const json = text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (token) =>
    token.startsWith('"') ? token : 'null',
  );
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new CheckpointError('invalid_file', file, 'is not JSON: it is damaged or was cut off', { cause });
  }
}
