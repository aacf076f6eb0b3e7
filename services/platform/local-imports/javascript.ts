/**
 * Comments, and texts, in which no comment begins. A text in single or double quotes ends with its line. What is not closed goes to its end: whatever begins one is found,
 * so nothing is read twice, and the time grows with the length of the source alone.
 */
const ASIDE =
  /\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*|"(?:\\[\s\S]|[^"\\\n])*"?|'(?:\\[\s\S]|[^'\\\n])*'?|`(?:\\[\s\S]|[^`\\])*`?/g;
/** `import … from '…'`, `export … from '…'`, `import '…'`, `import('…')` and `require('…')` of a path. */
const IMPORT = /\b(?:from|import|require)\s*(?:\(\s*)?(["'`])((?:\.|\/|file:)(?:(?!\$\{)[^"'`\n])*)\1(?!\s*\+)/g;

/** The paths that a JavaScript file imports, as it writes them; packages and what is computed are not among them. */
export function javascriptImports(source: string): string[] {
  const code = source.replace(ASIDE, (found) => (found.startsWith('/') ? ' ' : found));
  return [...code.matchAll(IMPORT)].map(([, , path]) => path!);
}
