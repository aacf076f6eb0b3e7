import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { TrainerError } from '../failure.ts';
import type { ExampleSource } from './example-source.ts';
import { cutRecords, MAX_RECORD_BYTES } from './files/cut-records.ts';
import { type DataFile, isTable, listDataFiles, unreadable } from './files/data-file.ts';
import { type Located, type RecordFormat, recordFormat } from './files/record-format.ts';
import { mapColumns } from './map-columns.ts';
import { type Row, RowError } from './row.ts';
import { createRowIndex, type RowSpan } from './row-index.ts';

/** How a method reads its rows. */
export interface ExampleReader<E> {
  /** Whether a row can be used, as cheaply as it can be told; `isCut` when its end is beyond what the model takes. @throws RowError */
  check(row: Row): { readonly isCut: boolean };
  /** The row as tokens. @throws RowError */
  read(row: Row): E;
}

/** What the first pass found. */
export interface OpenedExamples<E> extends ExampleSource<E> {
  readonly files: readonly string[];
  /** Rows whose end is cut off. */
  readonly cut: number;
  readonly skipped: {
    readonly count: number;
    /** The first of them, as `file:line: problem`. */
    readonly first: readonly string[];
  };
}

export type DataOptions = Pick<RunSpec['data'], 'columns' | 'on_invalid'>;

const SKIPPED_TOLD = 5;

/** A file as it was when it was opened. */
interface OpenedFile extends DataFile {
  readonly recordFormat: RecordFormat;
  readonly bytes: number;
  readonly modified: number;
}

/**
 * Opens a file or a directory of files. One pass finds and checks every row and hashes the files; of the rows only their places are kept.
 *
 * @param set `train` or `val`, for the ids of rows that have none
 * @throws TrainerError `invalid_data` naming the file, the line, what is wrong with it and the remedy
 */
export async function openExamples<E>(
  given: string,
  set: 'train' | 'val',
  reader: ExampleReader<E>,
  options: DataOptions,
): Promise<OpenedExamples<E>> {
  const listed = await listDataFiles(given);
  const files: OpenedFile[] = [];
  const index = createRowIndex();
  const contents = createHash('sha256');
  const left = createHash('sha256');
  const skipped: { count: number; first: string[] } = { count: 0, first: [] };
  let cut = 0;

  const rowAt = (fields: () => Readonly<Record<string, unknown>>, file: number, line: number, number: number): Row => {
    const { path: at, format } = files[file]!;
    const prefix = listed.length === 1 ? set : `${set}_${path.basename(at)}`;
    const place = { path: at, isTable: isTable(format), line, name: `${prefix}_${number}` };
    return { place, columns: mapColumns(fields(), options.columns, place) };
  };

  const admit = ({ start, bytes, line, number }: Located, file: number): void => {
    try {
      const row = rowAt(() => files[file]!.recordFormat.parse(bytes, line), file, line, number);
      if (reader.check(row).isCut) cut += 1;
      index.push({ file, start, length: bytes.length, line, number });
    } catch (error) {
      if (!(error instanceof RowError) || options.on_invalid === 'stop') throw error;
      skipped.count += 1;
      if (skipped.first.length < SKIPPED_TOLD) skipped.first.push(error.message);
      left.update(`${file}:${number}\0`);
    }
  };

  for (const [i, file] of listed.entries()) {
    const state = await statOf(file.path);
    files.push({ ...file, ...state, recordFormat: recordFormat(file) });
    if (listed.length > 1) contents.update(`${path.basename(file.path)}\0`);
    const pieces = cutRecords(
      chunksOf(file.path, (chunk) => contents.update(chunk)),
      files[i]!.recordFormat.findEnd,
      (line) => tooLong(file, line),
    );
    for await (const piece of pieces) {
      const located = files[i]!.recordFormat.locate(piece);
      if (located !== null) admit(located, i);
    }
    requireSame(files[i]!, await statOf(file.path));
  }
  requireSome(given, { size: index.size, skipped, files });

  const readSpan = async (handles: readonly (FileHandle | undefined)[], span: RowSpan): Promise<E> => {
    const bytes = Buffer.allocUnsafe(span.length);
    const { bytesRead } = await handles[span.file]!.read(bytes, 0, span.length, span.start);
    if (bytesRead < span.length) throw changed(files[span.file]!.path);
    const fields = () => files[span.file]!.recordFormat.parse(bytes, span.line);
    return reader.read(rowAt(fields, span.file, span.line, span.number));
  };

  return {
    files: files.map((file) => file.path),
    size: index.size,
    cut,
    skipped,
    sha256: identity(contents.digest('hex'), options.columns, skipped.count === 0 ? null : left.digest('hex')),
    async take(indices) {
      const spans = Array.from(indices, index.at);
      const handles: (FileHandle | undefined)[] = [];
      try {
        for (const { file } of spans) handles[file] ??= await openAgain(files[file]!);
        const examples: E[] = [];
        for (const span of spans) examples.push(await readSpan(handles, span));
        return examples;
      } finally {
        await Promise.all(handles.map((handle) => handle?.close()));
      }
    },
  };
}

/** Where every row is used under its own columns, the hash of the bytes alone: what `sha256sum` prints for a single file. */
function identity(contents: string, columns: DataOptions['columns'], left: string | null): string {
  const named = Object.entries(columns).filter(([, name]) => name !== null);
  if (named.length === 0 && left === null) return contents;
  return createHash('sha256')
    .update(JSON.stringify([contents, named, left]))
    .digest('hex');
}

async function* chunksOf(file: string, onChunk: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 18 }) as AsyncIterable<Buffer>) {
      onChunk(chunk);
      yield chunk;
    }
  } catch (error) {
    throw error instanceof TrainerError ? error : unreadable(file, error);
  }
}

async function statOf(file: string): Promise<Pick<OpenedFile, 'bytes' | 'modified'>> {
  const handle = await openFile(file);
  try {
    const { size, mtimeMs } = await handle.stat();
    return { bytes: size, modified: mtimeMs };
  } finally {
    await handle.close();
  }
}

/** Places in a file mean nothing once it is another one. */
async function openAgain(file: OpenedFile): Promise<FileHandle> {
  const handle = await openFile(file.path);
  try {
    const { size, mtimeMs } = await handle.stat();
    requireSame(file, { bytes: size, modified: mtimeMs });
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openFile(file: string): Promise<FileHandle> {
  return await open(file).catch((error: unknown) => {
    throw unreadable(file, error);
  });
}

function requireSame(file: OpenedFile, now: Pick<OpenedFile, 'bytes' | 'modified'>): void {
  if (now.bytes !== file.bytes || now.modified !== file.modified) throw changed(file.path);
}

function changed(file: string): TrainerError {
  return new TrainerError(
    'invalid_data',
    `${file} was changed while it was in use`,
    'Put it back as it was and resume, or fork the run to go on with what it is now.',
  );
}

function tooLong({ path: file, format }: DataFile, line: number): TrainerError {
  return new TrainerError(
    'invalid_data',
    `${file}:${line}: a record is longer than ${MAX_RECORD_BYTES >> 20} MiB`,
    format === 'jsonl'
      ? 'Give one JSON object per line (JSONL), or name a JSON list .json.'
      : 'Close every quote and bracket.',
  );
}

function requireSome(
  given: string,
  { size, skipped, files }: Pick<OpenedExamples<unknown>, 'size' | 'skipped'> & { readonly files: readonly DataFile[] },
): void {
  if (size > 0) return;
  if (skipped.count === 0) {
    const remedy = files.every(({ format }) => isTable(format))
      ? 'Give a header with the names of the columns, and a row for each example below it.'
      : 'Give one JSON object per line.';
    throw new TrainerError('invalid_data', `${given} has no examples`, remedy);
  }
  throw new TrainerError(
    'invalid_data',
    `${given}: none of its ${skipped.count} rows can be used; the first: ${skipped.first[0]}`,
    'Mend the rows, or name their columns in data.columns.',
  );
}
