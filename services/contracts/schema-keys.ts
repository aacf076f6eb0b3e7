import { z } from 'zod';

/** The keys an object schema knows, through defaults and nullables; none for anything else. */
export function schemaKeys(schema: z.ZodType | undefined): string[] {
  const inner = unwrap(schema);
  return inner instanceof z.ZodObject ? Object.keys(inner.shape) : [];
}

/** The schema of the property at `path`, list entries by their index, or undefined where there is none. */
export function schemaAt(schema: z.ZodType, path: readonly string[]): z.ZodType | undefined {
  let at: z.ZodType | undefined = schema;
  for (const key of path) {
    const inner = unwrap(at);
    if (inner instanceof z.ZodArray && /^\d+$/.test(key)) at = inner.element as z.ZodType;
    else
      at =
        inner instanceof z.ZodObject && Object.hasOwn(inner.shape, key)
          ? (inner.shape[key] as z.ZodType | undefined)
          : undefined;
  }
  return at;
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
