/**
 * Comments and texts; those in three quotes may hold the others. What is not closed goes to its end, so nothing is read twice: the time of both patterns grows with the
 * length of the source alone.
 */
const ASIDE = /("""|''')[\s\S]*?(?:\1|$)|#[^\n]*|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?/g;
const STATEMENT =
  /(?:^|[\n;:])[ \t]*(?:from[ \t]+(?<from>[\w.]+)[ \t]*\bimport[ \t]*(?<names>\([^)]*\)?|[^\n;]+)|import[ \t]+(?<modules>[^\n;]+))/g;
/** Packages that lie in one another: a name of more is no module. */
const MAX_DEPTH = 32;

/** One module that a Python file imports, or may: `from a import b` names `a.b` as well, which can be a module or not. */
export interface PythonImport {
  /** Dots before the name: 0 from the top, 1 from the package of the file, 2 from the one above. */
  readonly level: number;
  readonly path: readonly string[];
}

/** The modules that a Python file imports by statements, wherever they stand. */
export function pythonImports(source: string): PythonImport[] {
  const code = source.replace(ASIDE, (found) => (found.startsWith('#') ? ' ' : '""')).replace(/\\\r?\n/g, ' ');
  const all = [...code.matchAll(STATEMENT)].flatMap(({ groups }) => {
    const { from, names, modules } = groups ?? {};
    if (from === undefined) return namesIn(modules ?? '').map((name) => ({ level: 0, path: name.split('.') }));
    const level = /^\.*/.exec(from)![0].length;
    const path = from.slice(level).split('.').filter(Boolean);
    return namesIn(names ?? '').map((name) => ({ level, path: name === '*' ? path : [...path, name] }));
  });
  return all.filter(({ level, path }) => level <= MAX_DEPTH && path.length <= MAX_DEPTH);
}

function namesIn(list: string): string[] {
  return list
    .replace(/[()]/g, ' ')
    .split(',')
    .map((each) => each.trim().split(/\s/)[0] ?? '')
    .filter((name) => /^(?:[\w.]+|\*)$/.test(name));
}
