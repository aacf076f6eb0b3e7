import type { FindEnd } from './cut-records.ts';

const [NEWLINE, QUOTE, COMMA, BACKSLASH] = [10, 34, 44, 92];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [91, 93, 123, 125];

export const endOfLine: FindEnd = (bytes, from) => bytes.indexOf(NEWLINE, from) + 1 || -1;

/** A line of CSV goes on while it is within quotes (RFC 4180); a quote opens only at the beginning of a field. */
export function createEndOfCsvRecord(delimiter: number): FindEnd {
  let [quoted, fieldBegins] = [false, true];
  return (bytes, from) => {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at];
      if (quoted) {
        // Of two quotes within quotes the second opens them again.
        if (byte === QUOTE) [quoted, fieldBegins] = [false, true];
      } else if (byte === QUOTE && fieldBegins) quoted = true;
      else if (byte === NEWLINE) {
        fieldBegins = true;
        return at + 1;
      } else fieldBegins = byte === delimiter;
    }
    return -1;
  };
}

/** The entries of a JSON list, each with the bracket or comma before it. */
export function createEndOfListEntry(): FindEnd {
  /** Of brackets and braces; 1 between the entries. */
  let depth = 0;
  let [inText, escaped, inEntry] = [false, false, false];
  return (bytes, from) => {
    for (let at = from; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (inText) {
        if (escaped) escaped = false;
        else if (byte === BACKSLASH) escaped = true;
        else if (byte === QUOTE) inText = false;
        continue;
      }
      if (depth === 1 && inEntry && (byte === COMMA || byte === CLOSE_LIST)) {
        inEntry = false;
        return at;
      }
      if (byte === QUOTE) inText = true;
      if (depth >= 1 && byte > 32 && !(depth === 1 && (byte === COMMA || byte === CLOSE_LIST))) inEntry = true;
      if (byte === OPEN_LIST || byte === OPEN_OBJECT) depth += 1;
      else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth -= 1;
    }
    return -1;
  };
}
