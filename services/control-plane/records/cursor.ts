import type { Cursor } from './record-types.ts';

/** Before the first record of the first attempt. */
export const START: Cursor = { attempt: 0, n: 0 };

/** `<attempt>:<n>`, as an SSE id carries it. */
export function formatCursor(cursor: Cursor): string {
  return `${cursor.attempt}:${cursor.n}`;
}

/** The cursor a client sent back, or null when it is not one. */
export function parseCursor(text: string): Cursor | null {
  const match = /^(\d{1,9}):(\d{1,15})$/.exec(text);
  return match === null ? null : { attempt: Number(match[1]), n: Number(match[2]) };
}
