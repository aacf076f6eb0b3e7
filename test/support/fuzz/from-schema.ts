import type { Random } from './random.ts';

export interface Schema {
  $ref?: string;
  type?: string | string[];
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  items?: Schema;
  minItems?: number;
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  format?: string;
  example?: unknown;
}

const words = ['a', 'train/loss', 'models/tiny', 'Ünïcödé ☃', 'x'.repeat(40), 'with space', '0', 'true', 'null', '-'];
const deepest = 6;

/** A value that a JSON Schema of the API allows; `resolve` follows a `$ref`. Patterns are met by the schema's example. */
export function fromSchema(schema: Schema, random: Random, resolve: (ref: string) => Schema, depth = 0): unknown {
  const inner = (part: Schema) => fromSchema(part, random, resolve, depth + 1);
  if (schema.$ref !== undefined) return inner(resolve(schema.$ref));
  if ('const' in schema) return schema.const;
  if (schema.enum !== undefined) return random.pick(schema.enum);
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices !== undefined) return inner(random.pick(choices));
  switch (random.pick([schema.type ?? 'string'].flat())) {
    case 'object':
      return objectOf(schema, random, inner, depth);
    case 'array':
      return Array.from({ length: (schema.minItems ?? 0) + random.int(0, 2) }, () => inner(schema.items ?? {}));
    case 'integer':
      return wholeNumber(schema, random);
    case 'number':
      return random.chance(0.5) ? wholeNumber(schema, random) : fraction(schema, random);
    case 'boolean':
      return random.chance(0.5);
    case 'null':
      return null;
    default:
      return text(schema, random);
  }
}

function objectOf(schema: Schema, random: Random, inner: (part: Schema) => unknown, depth: number): object {
  const required = new Set(schema.required ?? []);
  const chance = depth > deepest ? 0 : 0.25;
  const known = Object.entries(schema.properties ?? {})
    .filter(([name]) => required.has(name) || random.chance(chance))
    .map(([name, part]) => [name, inner(part)] as const);
  const more = schema.additionalProperties;
  if (typeof more !== 'object' || !random.chance(0.5)) return Object.fromEntries(known);
  return Object.fromEntries([...known, [random.pick(words), inner(more)]]);
}

function wholeNumber({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Schema, random: Random): number {
  const low = Math.ceil(minimum ?? (exclusiveMinimum === undefined ? -1000 : exclusiveMinimum + 1));
  const high = Math.floor(maximum ?? (exclusiveMaximum === undefined ? Number.MAX_SAFE_INTEGER : exclusiveMaximum));
  return random.pick([low, low, Math.max(low, high), Math.min(Math.max(low, high), low + random.int(0, 50))]);
}

function fraction({ minimum, exclusiveMinimum, maximum, exclusiveMaximum }: Schema, random: Random): number {
  const low = minimum ?? exclusiveMinimum ?? 0;
  const high = maximum ?? exclusiveMaximum ?? low + 1;
  return low + ((high - low) * random.int(1, 999)) / 1000;
}

function text({ pattern, format, example, minLength = 0, maxLength = 100 }: Schema, random: Random): string {
  if (pattern !== undefined || format !== undefined) return String(example ?? '2026-11-20T09:00:00.000Z');
  const word = random.chance(0.3) && typeof example === 'string' ? example : random.pick(words);
  return word.slice(0, maxLength).padEnd(minLength, 'x');
}
