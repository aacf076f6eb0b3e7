import type { z } from 'zod';

/**
 * Describes a property for readers of the OpenAPI file: what it means (with its unit) and one example.
 * Every property of every public schema goes through here; a test refuses one without.
 */
export function field<T extends z.ZodType>(schema: T, description: string, example: z.input<T>): T {
  return schema.meta({ description, example });
}
