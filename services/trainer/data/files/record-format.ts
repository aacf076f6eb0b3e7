import { TrainerError } from '../../failure.ts';
import { RowError } from '../row.ts';
import { countNewlines, type FindEnd, type Piece } from './cut-records.ts';
import type { DataFile } from './data-file.ts';
import { createEndOfCsvRecord, createEndOfListEntry, endOfLine } from './find-ends.ts';
import { parseCsvRecord } from './parse-csv.ts';

/** A record's bytes in its file. */
export interface Located {
  readonly start: number;
  readonly bytes: Buffer;
  /** On which it begins, from 1. */
  readonly line: number;
  /** What its id counts: its line, or its place in a JSON list. */
  readonly number: number;
}

type Fields = Readonly<Record<string, unknown>>;

/** How the records of one file are found and read. */
export interface RecordFormat {
  readonly findEnd: FindEnd;
  /** The record in a piece; null for blank lines, headers and the end. @throws TrainerError for a file that is no such thing */
  locate(piece: Piece): Located | null;
  /** @throws RowError */
  parse(bytes: Buffer, line: number): Fields;
}

export function recordFormat(file: DataFile): RecordFormat {
  switch (file.format) {
    case 'jsonl':
      return jsonLines(file.path);
    case 'json':
      return jsonList(file.path);
    case 'csv':
      return separated(file.path, ',');
    case 'tsv':
      return separated(file.path, '\t');
  }
}

const ROWS = 'Give each line as {"prompt": "...", "answer": "..."} or {"messages": [...], "completion": "..."}.';

function jsonLines(path: string): RecordFormat {
  return {
    findEnd: endOfLine,
    locate: ({ start, lines, bytes }) => (isBlank(bytes) ? null : { start, bytes, line: lines + 1, number: lines + 1 }),
    parse: (bytes, line) => parseObject(textOf(bytes, path, line), path, line),
  };
}

function jsonList(path: string): RecordFormat {
  const refuse = (line: number, problem: string) =>
    new TrainerError(
      'invalid_data',
      `${path}:${line}: ${problem}`,
      'Give one JSON list of objects, or one object per line (JSONL).',
    );
  let number = 0;
  return {
    findEnd: createEndOfListEntry(),
    locate({ start, lines, bytes, isLast }) {
      const text = bytes.toString('latin1');
      const begins = /^(?:\xef\xbb\xbf)?\s*[[,]?\s*/.exec(text)![0].length;
      const line = lines + 1 + countNewlines(bytes.subarray(0, begins));
      const separator = text.slice(0, begins).replace('\xef\xbb\xbf', '').trim();
      if (isLast) {
        if (text.trim() === ']' && number > 0) return null;
        if (/^\[\s*\]$/.test(text.replace('\xef\xbb\xbf', '').trim()) && number === 0) return null;
        throw refuse(line, 'the JSON list is not closed, or something follows it');
      }
      if (separator !== (number === 0 ? '[' : ','))
        throw refuse(line, 'something other than a comma is between entries');
      number += 1;
      return { start: start + begins, bytes: bytes.subarray(begins), line, number };
    },
    parse: (bytes, line) => parseObject(textOf(bytes, path, line), path, line),
  };
}

function separated(path: string, delimiter: ',' | '\t'): RecordFormat {
  let header: readonly string[] | undefined;
  return {
    findEnd: createEndOfCsvRecord(delimiter.charCodeAt(0)),
    locate({ start, lines, bytes }) {
      const line = lines + 1;
      if (isBlank(bytes)) return null;
      if (header !== undefined) return { start, bytes, line, number: line };
      header = fieldsOf(bytes, line);
      const twice = header.find((name, i) => header?.indexOf(name) !== i);
      if (twice === undefined) return null;
      throw new TrainerError(
        'invalid_data',
        `${path}:${line}: the header names ${JSON.stringify(twice)} twice`,
        'Give each column a name of its own.',
      );
    },
    parse(bytes, line) {
      const fields = fieldsOf(bytes, line);
      if (fields.length !== header?.length) {
        const counts = `has ${fields.length} fields, the header names ${header?.length}`;
        throw new RowError({ path, line }, counts, 'Put fields that hold commas, quotes or line ends in quotes.');
      }
      // An empty field is how CSV says that there is none.
      const entries = header.map((name, i) => [name, structured(fields[i]!)] as const);
      return Object.fromEntries(entries.filter(([, value]) => value !== ''));
    },
  };

  function fieldsOf(bytes: Buffer, line: number): string[] {
    try {
      return parseCsvRecord(textOf(bytes, path, line), delimiter);
    } catch (error) {
      if (error instanceof RowError) throw error;
      const problem = error instanceof Error ? error.message : String(error);
      throw new RowError({ path, line }, problem, 'Write the file as RFC 4180 says, as spreadsheets and pandas do.');
    }
  }
}

/** Conversations within CSV are written as JSON. */
function structured(field: string): unknown {
  if (!/^\[\s*\{/.test(field)) return field;
  try {
    return JSON.parse(field);
  } catch {
    return field;
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true });

function textOf(bytes: Buffer, path: string, line: number): string {
  try {
    return decoder.decode(bytes);
  } catch {
    throw new RowError({ path, line }, 'the line is not UTF-8', 'Save the file as UTF-8.');
  }
}

function parseObject(text: string, path: string, line: number): Fields {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw new RowError({ path, line }, `is not JSON: ${problem}`, ROWS);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new RowError({ path, line }, 'is no JSON object', ROWS);
  }
  return document as Fields;
}

function isBlank(bytes: Buffer): boolean {
  return bytes.length === 0 || (bytes.length < 4096 && bytes.toString('latin1').trim() === '');
}
