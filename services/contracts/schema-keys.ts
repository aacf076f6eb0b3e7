import { z } from 'zod';

/** The keys an object schema knows, through defaults and nullables, in any of its forms; none for anything else. */
export function schemaKeys(schema: z.ZodType | undefined): string[] {
  return [...new Set(shapesOf(schema).flatMap((shape) => Object.keys(shape)))];
}

/** The schema of the property at `path`, list entries by their index, or undefined where there is none. */
export function schemaAt(schema: z.ZodType, path: readonly string[]): z.ZodType | undefined {
  let at: z.ZodType | undefined = schema;
  for (const key of path) {
    const inner = unwrap(at);
    if (inner instanceof z.ZodArray && /^\d+$/.test(key)) at = inner.element as z.ZodType;
    else at = shapesOf(inner).find((shape) => Object.hasOwn(shape, key))?.[key];
  }
  return at;
}

type Shape = Readonly<Record<string, z.ZodType>>;

/** Of an object, or of each form that a discriminated union allows. */
function shapesOf(schema: z.ZodType | undefined): Shape[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodObject) return [inner.shape as Shape];
  return inner instanceof z.ZodDiscriminatedUnion
    ? inner.options.flatMap((option) => shapesOf(option as z.ZodType))
    : [];
}

function unwrap(schema: z.ZodType | undefined): z.ZodType | undefined {
  let at = schema;
  while (
    at instanceof z.ZodDefault ||
    at instanceof z.ZodPrefault ||
    at instanceof z.ZodNullable ||
    at instanceof z.ZodOptional
  ) {
    at = at.unwrap() as z.ZodType;
  }
  return at;
}
