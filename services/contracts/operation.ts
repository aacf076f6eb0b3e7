import type { z } from 'zod';
import type { ProblemType } from './problem.ts';

/** How an operation answers: one JSON document, or bytes and event streams that a handler writes itself. */
export type ResponseSpec =
  | { status: number; description: string; body: z.ZodType }
  | { status: number; description: string; media: readonly string[]; body?: z.ZodType };

/** One operation of an API, as data: the generator writes OpenAPI from it and the server mounts a handler for it. */
export interface Operation {
  method: 'get' | 'post' | 'delete' | 'patch';
  /** OpenAPI path; a last parameter written `{path+}` takes the rest of the URL. */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  params?: z.ZodObject;
  query?: z.ZodObject;
  headers?: z.ZodObject;
  /**
   * Request body: parsed from JSON, YAML or NDJSON and checked by the schema. Where a handler checks it itself, because its messages say more,
   * `schema` takes anything and `documented` is what readers of the OpenAPI file see.
   */
  body?: { schema: z.ZodType; media: readonly string[]; required: boolean; documented?: z.ZodType };
  responses: readonly ResponseSpec[];
  problems: readonly ProblemType[];
}

/** Keeps the literal type of an operation, so that handlers can be typed from it. */
export function operation<const O extends Operation>(definition: O): O {
  return definition;
}

type Parsed<T> = T extends z.ZodType ? z.output<T> : Record<never, never>;

/** What a handler of the operation is given, all of it checked. */
export interface Input<O extends Operation> {
  params: Parsed<O['params']>;
  query: Parsed<O['query']>;
  headers: Parsed<O['headers']>;
  body: O['body'] extends { schema: infer S } ? Parsed<S> : undefined;
}

/** What a handler may return: a JSON document, or a status alone where the answer has no content; `never` where it only streams. */
export type Output<O extends Operation> = O['responses'][number] extends infer R
  ? R extends { body: infer B extends z.ZodType; status: infer S }
    ? { status: S; body: z.input<B> }
    : R extends { media: readonly []; status: infer S }
      ? { status: S }
      : never
  : never;
