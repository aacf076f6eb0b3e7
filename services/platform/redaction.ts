import { brokenShapes, brokenValues, HIDDEN, isSecretName, secretPatterns, secretValues } from './secret-patterns.ts';

/**
 * Hides secrets where lines are written, so that no caller has to think of it: values of variables with a secret's name (also percent-encoded, escaped
 * as in JSON, or broken by line ends), bearer tokens, credentials in URLs, signatures of presigned links, keys of well-known shapes, private
 * keys, and whatever stands behind a secret's name. A value of less than six characters is hidden behind its name only.
 */
export interface Redactor {
  text(text: string): string;
  /** The same value with the secrets in its strings and keys hidden, at any depth. What is nested deeper than 64 levels is left out. */
  value<T>(value: T): T;
}

const SECRET_VARIABLE = /(^|_)(API_?KEY|KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS?)$/i;
const SHORTEST_SECRET = 6;
const DEEPEST = 64;

/** @param env where secrets are known from, by the names of its variables */
export function createRedactor(env: Readonly<Record<string, string | undefined>>): Redactor {
  const known = Object.entries(env)
    .filter(([name]) => SECRET_VARIABLE.test(name))
    .map(([, value]) => value ?? '')
    .filter((value) => value.length >= SHORTEST_SECRET);
  const inOneLine: readonly [RegExp, string][] = [...asPattern(secretValues(known)), ...secretPatterns];
  const overLines = [...asPattern(brokenValues(known)), ...brokenShapes.flatMap(asPattern)];

  const hide = (text: string, patterns: readonly [RegExp, string][]) =>
    patterns.reduce((hidden, [pattern, replacement]) => hidden.replace(pattern, replacement), text);

  const text = (original: string): string => {
    const hidden = hide(original, inOneLine);
    return /[\r\n]/.test(hidden) ? hide(hidden, overLines) : hidden;
  };

  const inside = (value: unknown, isSecret: boolean, depth: number): unknown => {
    if (typeof value === 'string') return isSecret && value !== '' ? HIDDEN : text(value);
    if (typeof value !== 'object' || value === null) return value;
    if (depth === DEEPEST) return '[nested too deep]';
    if (Array.isArray(value)) return value.map((each) => inside(each, isSecret, depth + 1));
    const entries = Object.entries(value).map(([key, each]) => {
      return [text(key), inside(each, isSecret || isSecretName(key), depth + 1)];
    });
    return Object.fromEntries(entries);
  };

  return { text, value: <T>(value: T) => inside(value, false, 0) as T };
}

function asPattern(pattern: RegExp | null): [RegExp, string][] {
  return pattern === null ? [] : [[pattern, HIDDEN]];
}
