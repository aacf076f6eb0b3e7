import type { z } from 'zod';
import { JsonRefusedError, readBoundedJson } from '../../platform/bounded-json.ts';
import { CheckpointError } from './checkpoint-error.ts';

/**
 * Reads a JSON object of a checkpoint. Python writes NaN and Infinity, which JSON has not: they read as null.
 *
 * @throws CheckpointError `invalid_file` naming the field, or what it costs too much.
 */
export async function readCheckpointJson<T extends z.ZodType>(file: string, schema: T): Promise<z.output<T>> {
  const value = await readBoundedJson(file).catch((cause: unknown) => {
    if (cause instanceof JsonRefusedError) throw new CheckpointError('invalid_file', file, cause.message, { cause });
    throw cause;
  });
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CheckpointError('invalid_file', file, 'is not a JSON object');
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new CheckpointError('invalid_file', file, `has a wrong value at ${issue?.path.join('.')}: ${issue?.message}`);
}
