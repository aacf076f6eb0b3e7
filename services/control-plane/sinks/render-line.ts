import type { LogRecord } from '../../contracts/record.ts';

/**
 * A log record as a terminal shows it: `2026-11-20 09:00:00 - INFO - message`, times in UTC. Model output is hostile text: escape sequences and
 * control characters are taken out, and each line of a message gets a prefix of its own, so that none can pose as another record.
 */
export function renderLine({ time, level, message }: Pick<LogRecord, 'time' | 'level' | 'message'>): string {
  const prefix = `${time.slice(0, 10)} ${time.slice(11, 19)} - ${level} - `;
  return message
    .split(/\r\n|\n|\r/)
    .map((line) => prefix + cleanText(line))
    .join('\n');
}

/** One line of text without escape sequences, control characters (C0, C1, DEL) and invisible characters that reorder text. */
export function cleanText(line: string): string {
  return line.replace(CSI_SEQUENCE, '').replaceAll('\t', '    ').replace(UNPRINTABLE, '');
}

// Colours and cursor movements (ECMA-48 5.4) go as a whole. Of any other sequence only the control characters go: what is left is
// harmless, and a sequence that never ends cannot hide the text after it.
const CSI_SEQUENCE = new RegExp(`${String.fromCharCode(0x1b)}\\[[0-?]*[ -/]*[@-~]`, 'g');

const UNPRINTABLE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029\ufeff]/gu;
