import { cleanText } from './render-line.ts';

/** Characters of a line that are kept; of a longer one the rest is left out. */
export const LONGEST_LINE = 65_536;
/** More than any secret has: what stands at the end of what is kept of a line could be the first half of one. */
const MARGIN = 4096;
const NEWLINE = 0x0a;

/** A line that a program printed. `end` is the place behind it in all that was printed. */
export interface PrintedLine {
  end: number;
  message: string;
}

/**
 * The lines of `bytes`, which begin at the place `at` of all that a program printed; bytes behind the last newline are no line yet, unless `isLast`.
 * Whatever a program prints comes out as clean text of bounded length: bytes that are no UTF-8 are replaced, escape sequences and control characters taken
 * out, of a line that was drawn again and again by carriage returns the last state is kept. Secrets are hidden, also those that are broken over lines:
 * these lines then share one `end`, that of the last, so that none is taken for written before all are.
 */
export function printedLines({
  at,
  bytes,
  isLast,
  redact,
}: {
  at: number;
  bytes: Buffer;
  isLast: boolean;
  redact: (text: string) => string;
}): PrintedLine[] {
  const raw: PrintedLine[] = [];
  for (let start = 0; start < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, start);
    if (newline === -1 && !isLast) break;
    const stop = newline === -1 ? bytes.length : newline;
    const end = newline === -1 ? bytes.length : newline + 1;
    raw.push({ end: at + end, message: lineOf(bytes.subarray(start, stop), stop - start, redact) });
    start = end;
  }
  const whole = raw.map(({ message }) => message).join('\n');
  const hidden = redact(whole).split('\n');
  if (hidden.length === raw.length) {
    return raw.map(({ end }, index) => ({ end, message: hidden[index] as string })).filter(hasText);
  }
  return hidden
    .map((message, index) => ({ end: index === hidden.length - 1 ? (raw.at(-1)?.end ?? at) : at, message }))
    .filter(hasText);
}

/** As much of a line as is kept, from its first bytes and its length. */
export function lineOf(bytes: Buffer, length: number, redact: (text: string) => string): string {
  const text = bytes.toString('utf8').replace(/\r+$/, '');
  const drawn = text.slice(text.lastIndexOf('\r') + 1);
  if (drawn.length <= LONGEST_LINE && length === bytes.length) return cleanText(drawn);
  const kept = cleanText(redact(drawn.slice(0, LONGEST_LINE)));
  const shown = kept.slice(0, Math.max(0, kept.length - MARGIN));
  return `${shown} ... ${length - Buffer.byteLength(shown)} bytes of this line are left out`;
}

function hasText({ message }: PrintedLine): boolean {
  return message.trim() !== '';
}
