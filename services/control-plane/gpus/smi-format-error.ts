import { oneLine } from './one-line.ts';

/** A program's output is not what is known of its format; the message says what is missing and where. */
export class SmiFormatError extends Error {
  override readonly name = 'SmiFormatError';
}

const SHOWN = 80;

/** The beginning of a text on one line, to be quoted in a message. */
export function quote(text: string): string {
  const line = oneLine(text, SHOWN);
  return line === '' ? 'nothing' : `"${line}"`;
}
