/** Comments, and texts, in which no comment begins. A text in single or double quotes ends with its line. */
const ASIDE = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g;
/** `import … from '…'`, `export … from '…'`, `import '…'`, `import('…')` and `require('…')` of a path. */
const IMPORT = /\b(?:from|import|require)\s*\(?\s*(["'`])((?:\.|\/|file:)(?:(?!\$\{)[^"'`\n])*)\1(?!\s*\+)/g;

/** The paths that a JavaScript file imports, as it writes them; packages and what is computed are not among them. */
export function javascriptImports(source: string): string[] {
  const code = source.replace(ASIDE, (found) => (found.startsWith('/') ? ' ' : found));
  return [...code.matchAll(IMPORT)].map(([, , path]) => path!);
}
