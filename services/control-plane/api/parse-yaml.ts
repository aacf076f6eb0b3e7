import { type CST, LineCounter, Parser, parseDocument } from 'yaml';
import { ProblemError } from './problem-error.ts';
import { inUnits } from './read-body.ts';

/**
 * The parser takes time quadratic in the number of keys and anchors: 64 KiB cost half a second at worst, 1 MiB would cost forty and block
 * every other request meanwhile.
 */
export const YAML_LIMIT_BYTES = 64 * 1024;
const MAX_ALIASES = 50;

/**
 * One YAML 1.2 document (core schema: no custom tags, no merge keys) as plain values.
 * @throws ProblemError payload-too-large or invalid-request, with line and column.
 */
export function parseYaml(text: string, maxDepth: number): unknown {
  if (Buffer.byteLength(text) > YAML_LIMIT_BYTES) {
    throw new ProblemError(
      'payload-too-large',
      `The YAML document is larger than ${inUnits(YAML_LIMIT_BYTES)}; send a larger one as application/json.`,
    );
  }
  refuseDeepNesting(text, maxDepth);
  const lines = new LineCounter();
  const document = parseDocument(text, { schema: 'core', prettyErrors: false, stringKeys: true, lineCounter: lines });
  const [wrong] = [...document.errors, ...document.warnings];
  if (wrong !== undefined) {
    const { line, col } = lines.linePos(wrong.pos[0]);
    throw new ProblemError('invalid-request', `body: is not valid YAML: line ${line}, column ${col}: ${wrong.message}`);
  }
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) as unknown;
  } catch (error) {
    throw new ProblemError('invalid-request', `body: its YAML aliases cannot be resolved: ${(error as Error).message}`);
  }
}

/**
 * The composer recurses: a deep document overflows its stack, and at the edge of the stack V8 can abort the whole process when it compiles
 * a regular expression. The syntax tree is built without recursion, so its depth is measured first.
 */
function refuseDeepNesting(text: string, maxDepth: number): void {
  for (const token of new Parser().parse(text)) {
    const open: { token: CST.Token; depth: number }[] = [{ token, depth: 0 }];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (next.depth > maxDepth) {
        throw new ProblemError('invalid-request', `body: is nested deeper than ${maxDepth} levels; flatten it.`);
      }
      for (const child of children(next.token)) open.push({ token: child, depth: next.depth + 1 });
    }
  }
}

function children(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value ? [token.value] : [];
  if (!('items' in token)) return [];
  return token.items.flatMap((item) => [item.key, item.value].filter((child) => child != null));
}
