import { open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { TrainerError } from '../../failure.ts';

export const dataFormats = ['jsonl', 'json', 'csv', 'tsv'] as const;
export type DataFormat = (typeof dataFormats)[number];

export interface DataFile {
  readonly path: string;
  readonly format: DataFormat;
}

/** Files whose rows have the columns that their header names. */
export function isTable(format: DataFormat): boolean {
  return format === 'csv' || format === 'tsv';
}

const byEnding: Readonly<Record<string, DataFormat>> = {
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
  '.csv': 'csv',
  '.tsv': 'tsv',
};
const FORMATS = Object.keys(byEnding).join(', ');
/** What users have and cannot be read as text. */
const BINARY = /\.(parquet|arrow|feather|gz|zst|xz|bz2|zip|tar|7z)$/i;

/**
 * The files of a data set: the file itself, or those of a directory in the order of their names. Other files of a directory are left alone.
 * @throws TrainerError `invalid_data`
 */
export async function listDataFiles(given: string): Promise<DataFile[]> {
  const found = await stat(given).catch((error: unknown) => {
    throw unreadable(given, error);
  });
  if (!found.isDirectory()) return [{ path: given, format: await formatOf(given) }];
  const names = (await readdir(given)).filter((name) => !name.startsWith('.') && endingOf(name) in byEnding).sort();
  if (names.length === 0) {
    throw new TrainerError(
      'invalid_data',
      `${given} holds no data files (${FORMATS})`,
      'Name a directory of such files, or a single file.',
    );
  }
  const files: DataFile[] = [];
  for (const name of names) {
    const file = path.join(given, name);
    files.push({ path: file, format: await formatOf(file) });
  }
  return files;
}

/** Anything whose name says nothing is taken for JSONL; so is a `.json` that is not one list, as many data sets are published. */
async function formatOf(file: string): Promise<DataFormat> {
  if (BINARY.test(file)) {
    throw new TrainerError(
      'invalid_data',
      `${file} is ${endingOf(file)}, which is not read`,
      `Convert it to one of ${FORMATS}.`,
    );
  }
  const format = byEnding[endingOf(file)] ?? 'jsonl';
  return format === 'json' && (await firstCharacter(file)) !== '[' ? 'jsonl' : format;
}

async function firstCharacter(file: string): Promise<string | undefined> {
  try {
    const handle = await open(file);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
      return buffer
        .toString('utf8', 0, bytesRead)
        .replace(/^\uFEFF/, '')
        .trimStart()[0];
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw unreadable(file, error);
  }
}

function endingOf(file: string): string {
  return path.extname(file).toLowerCase();
}

export function unreadable(file: string, error: unknown): TrainerError {
  const reason = (error as NodeJS.ErrnoException).code ?? String(error);
  const remedy = 'Check the path and its permissions.';
  return new TrainerError('invalid_data', `${file} cannot be read (${reason})`, remedy, { cause: error });
}
