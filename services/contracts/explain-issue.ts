import type { z } from 'zod';
import { nearestName } from './nearest-name.ts';

/**
 * A zod issue in a user's words: what the value must be, what it is, and where it helps what to write. `document` is what was parsed. A message that
 * a schema gives itself is kept: it says why. Unknown keys have one issue for several keys and are explained by the caller.
 */
export function explainIssue(issue: z.core.$ZodIssue, document: unknown): string {
  const value = valueAt(document, issue.path);
  if (isOwnMessage(issue.message)) return issue.message;
  switch (issue.code) {
    case 'invalid_type':
      return value === undefined ? `is missing; give ${nameOf(issue.expected)}` : wrongType(issue.expected, value);
    case 'invalid_value':
      return oneOf(issue.values.map(String), value);
    case 'too_small':
      return bound(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return bound(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    case 'invalid_format':
      return issue.format === 'url' ? 'must be a URL such as http://localhost:8000/v1' : issue.message;
    case 'invalid_union':
      if ('options' in issue && Array.isArray(issue.options)) return oneOf(issue.options.map(String), value);
      return 'has none of the forms that are allowed here';
    default:
      return issue.message;
  }
}

/** The value at a path of a document; undefined where there is none. */
export function valueAt(document: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) =>
      typeof at === 'object' && at !== null && Object.hasOwn(at, key)
        ? (at as Record<PropertyKey, unknown>)[key]
        : undefined,
    document,
  );
}

/** zod's own messages begin like this; everything else comes from a schema. */
function isOwnMessage(message: string): boolean {
  return !/^(Invalid (input|option|discriminator|string|URL|ISO|number)|Too (small|big)|Unrecognized)/.test(message);
}

function wrongType(expected: string, value: unknown): string {
  const remedy = quotes(expected, value);
  return `must be ${nameOf(expected)}, not ${describe(value)}${remedy}`;
}

function quotes(expected: string, value: unknown): string {
  if (
    typeof value === 'string' &&
    (expected === 'number' || expected === 'int') &&
    value.trim() !== '' &&
    Number.isFinite(Number(value))
  ) {
    return '; write it without quotes';
  }
  if (expected === 'boolean' && (value === 'true' || value === 'false')) return '; write it without quotes';
  return expected === 'string' && (typeof value === 'number' || typeof value === 'boolean') ? '; put it in quotes' : '';
}

function oneOf(values: string[], value: unknown): string {
  const nearest = typeof value === 'string' && value.length > 3 ? nearestOption(value, values) : undefined;
  const list = values.length === 1 ? `must be ${values[0]}` : `must be one of ${values.join(', ')}`;
  return nearest === undefined ? list : `${list}; did you mean ${nearest}?`;
}

function nearestOption(value: string, values: readonly string[]): string | undefined {
  const longer = values.find((option) => option.toLowerCase().startsWith(value.toLowerCase()));
  return longer ?? nearestName(value, values);
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  if (origin === 'string') return `must have ${relation} ${limit} character${limit === 1 ? '' : 's'}`;
  if (origin === 'array') return `must have ${relation} ${limit} entr${limit === 1 ? 'y' : 'ies'}`;
  return `must be ${relation} ${limit}`;
}

function nameOf(expected: string): string {
  const names: Readonly<Record<string, string>> = {
    int: 'a whole number',
    number: 'a number',
    string: 'a text',
    boolean: 'true or false',
    array: 'a list',
    object: 'a section with keys of its own',
    record: 'a section with keys of its own',
    null: 'null',
  };
  return names[expected] ?? expected;
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a section';
  if (typeof value === 'string')
    return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  return String(value);
}
