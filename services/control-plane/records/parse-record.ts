import { recordSchema, type TrainerRecord } from '../../contracts/record.ts';

/** The record of a line of a record file or a spool, or null when the line is not one. */
export function parseRecord(line: string): TrainerRecord | null {
  try {
    const parsed = recordSchema.safeParse(JSON.parse(line));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
