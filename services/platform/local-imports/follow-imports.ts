import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { javascriptImports } from './javascript.ts';
import { type PythonImport, pythonImports } from './python.ts';

/** Imports that cannot come along with a file; the message says which, and what to do. */
export class ImportRefusedError extends Error {
  override readonly name = 'ImportRefusedError';
}

const MAX_FILES = 200;
const MAX_BYTES = 32 << 20;
/** Of one program, which is read on the main thread. */
const MAX_PROGRAM_BYTES = 1 << 20;
/** That one program writes, each of which is looked for on the disk. */
const MAX_IMPORTS = 5000;

/** Whether a file is a program, whose imports are looked for. */
export function isProgram(file: string): boolean {
  return /\.(?:py|mjs|cjs|js)$/.test(file);
}

/**
 * What a Python or JavaScript file imports of the files in its directory and below, and they in turn: names below that directory, in order, without the file itself. Found by
 * reading: imports that are computed, packages and data files are not among them, nor what does not exist, which running the file tells. The `package.json` that says what
 * kind of module a `.js` is belongs to it.
 *
 * @throws ImportRefusedError for paths that lead out of the directory, and for too much
 */
export async function followImports(file: string): Promise<string[]> {
  const root = dirname(resolve(file));
  const main = relative(root, resolve(file));
  const found = new Set([main]);
  let bytes = 0;
  for (const name of found) {
    const { size } = await stat(join(root, name));
    bytes += size;
    if (found.size > MAX_FILES || bytes > MAX_BYTES) throw tooMuch(file);
    if (!isProgram(name)) continue;
    if (size > MAX_PROGRAM_BYTES)
      throw new ImportRefusedError(
        `${name} has ${size} bytes, and its imports are looked for in ${MAX_PROGRAM_BYTES} at most; move what is data in it to a file that it opens`,
      );
    for (const imported of await importsOf(root, name)) found.add(imported);
  }
  found.delete(main);
  return [...found].sort();
}

/** Those of one file, below `root`. */
async function importsOf(root: string, name: string): Promise<string[]> {
  const source = await readFile(join(root, name), 'utf8');
  const written: readonly (string | PythonImport)[] = name.endsWith('.py')
    ? pythonImports(source)
    : [...new Set(javascriptImports(source))];
  if (written.length > MAX_IMPORTS)
    throw new ImportRefusedError(
      `${name} writes ${written.length} imports, and ${MAX_IMPORTS} at most are looked for; make a package of it that is installed where the trainer runs`,
    );
  const paths: (string | null)[] = [];
  for (const each of written) {
    if (typeof each === 'string') paths.push(await javascriptFile(root, name, each));
    else paths.push(...(await pythonFiles(root, name, each)));
  }
  const kind = name.endsWith('.js') ? await nearestPackage(root, dirname(name)) : null;
  return [...paths, kind].filter((each) => each !== null);
}

/** As Node.js looks for it; what it would not find is left to it. */
async function javascriptFile(root: string, from: string, written: string): Promise<string | null> {
  const wanted = written.startsWith('file:')
    ? pathOf(written, from)
    : resolve(root, dirname(from), decode(written.replace(/[?#].*$/, '')));
  for (const path of [wanted, `${wanted}.js`, `${wanted}.json`, join(wanted, 'index.js')]) {
    if (!(await isFile(path))) continue;
    const name = relative(root, path);
    if (name.startsWith(`..${sep}`)) {
      throw new ImportRefusedError(
        `${from} imports ${written}, which lies outside of ${root}: only what lies beside the file or below comes along with it; move it there`,
      );
    }
    return name;
  }
  return null;
}

function pathOf(url: string, from: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new ImportRefusedError(
      `${from} imports ${url}, which names no file of this machine (${(error as Error).message}); write its path from where ${from} lies`,
      { cause: error },
    );
  }
}

/** The module with the packages that it lies in. */
async function pythonFiles(root: string, from: string, { level, path }: PythonImport): Promise<string[]> {
  const start = level === 0 ? '' : join(dirname(from), ...Array<string>(level - 1).fill('..'));
  if (start.startsWith('..')) return [];
  const files: string[] = [];
  let place = start;
  if (level > 0) files.push(join(start, '__init__.py'));
  for (const part of path) {
    place = join(place, part);
    files.push(join(place, '__init__.py'), `${place}.py`);
  }
  const there = await Promise.all(files.map((name) => isFile(join(root, name))));
  return files.filter((_, i) => there[i]);
}

async function nearestPackage(root: string, directory: string): Promise<string | null> {
  const name = join(directory, 'package.json');
  if (await isFile(join(root, name))) return name;
  return directory === '.' ? null : nearestPackage(root, dirname(directory));
}

function tooMuch(file: string): ImportRefusedError {
  return new ImportRefusedError(
    `${file} imports more than ${MAX_FILES} files or ${MAX_BYTES >> 20} MiB of its directory, which cannot come along with it; make a package of them that is installed where the trainer runs`,
  );
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false;
}
