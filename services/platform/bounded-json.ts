import { type FileHandle, open } from 'node:fs/promises';

/** What a JSON text from elsewhere may cost. */
export interface JsonLimits {
  /** Bytes of the file. */
  readonly bytes: number;
  /** Arrays and objects within one another. */
  readonly depth: number;
}

/** Enough for every state file and log there is; a deeper or larger one is a mistake or a trap. */
export const stateFileLimits: JsonLimits = { bytes: 64 * 2 ** 20, depth: 64 };

/** A JSON file is too large, nested too deep or damaged. The message goes on after the file's name. */
export class JsonRefusedError extends Error {
  override readonly name = 'JsonRefusedError';
}

/** Reads a JSON file within `limits`; see `parseBoundedJson`. @throws JsonRefusedError, or what opening it throws. */
export async function readBoundedJson(file: string, limits: JsonLimits = stateFileLimits): Promise<unknown> {
  const handle = await open(file, 'r');
  try {
    return await readBoundedJsonFrom(handle, limits);
  } finally {
    await handle.close();
  }
}

/** The same of a file that is open already. The caller closes it. */
export async function readBoundedJsonFrom(
  handle: FileHandle,
  limits: JsonLimits = stateFileLimits,
  notNumbers?: NotNumbers,
): Promise<unknown> {
  const { size } = await handle.stat();
  if (size > limits.bytes) throw new JsonRefusedError(`has ${size} bytes; the limit for JSON is ${limits.bytes}`);
  const bytes = Buffer.alloc(size);
  const { bytesRead } = await handle.read(bytes, 0, size, 0);
  return parseBoundedJson(bytes.toString('utf8', 0, bytesRead), limits.depth, notNumbers);
}

/** What Python's NaN and Infinity, which JSON has not, become: null, or the word as a string. */
export type NotNumbers = 'null' | 'word';

/**
 * Parses JSON as Python writes it. Depth is counted before anything is built, since the parser and all that walks its result would recurse.
 * @throws JsonRefusedError
 */
export function parseBoundedJson(text: string, depth: number, notNumbers: NotNumbers = 'null'): unknown {
  const json = plainJson(text, depth, notNumbers);
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new JsonRefusedError('is not JSON: it is damaged or was cut off', { cause });
  }
}

const WORD = /-?(?:NaN|Infinity)/y;

/** The text with words for numbers replaced, strings left alone. One pass, no backtracking: a string may be millions of characters long. */
function plainJson(text: string, limit: number, notNumbers: NotNumbers): string {
  const parts: string[] = [];
  let copied = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    switch (text[at]) {
      case '"':
        at = endOfString(text, at);
        break;
      case '{':
      case '[':
        if (++depth > limit) throw new JsonRefusedError(`is nested more than ${limit} deep`);
        break;
      case '}':
      case ']':
        depth--;
        break;
      case '-':
      case 'N':
      case 'I': {
        WORD.lastIndex = at;
        const word = WORD.exec(text)?.[0];
        if (word === undefined) break;
        parts.push(text.slice(copied, at), notNumbers === 'null' ? 'null' : `"${word.replace('-N', 'N')}"`);
        at += word.length - 1;
        copied = at + 1;
      }
    }
  }
  return copied === 0 ? text : parts.join('') + text.slice(copied);
}

/** The place of the closing quote; the end of the text where there is none. */
function endOfString(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
