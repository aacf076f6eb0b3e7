import type { Request } from 'express';
import type { z } from 'zod';
import { nearestName } from '../../contracts/nearest-name.ts';
import type { ProblemIssue } from './problem-error.ts';
import { invalidRequest, toIssues } from './request-issues.ts';

type Values = Record<string, unknown>;

/** Path parameters, checked. A parameter that takes the rest of the URL comes from Express as a list of segments. */
export function readParams(request: Request, schema: z.ZodObject | undefined): Values {
  if (schema === undefined) return {};
  const written = Object.fromEntries(
    Object.entries(request.params).map(([name, value]) => [name, Array.isArray(value) ? value.join('/') : value]),
  );
  return check('params', schema, written);
}

/** Query parameters, checked: unknown, repeated and empty ones are refused. */
export function readQuery(request: Request, schema: z.ZodObject | undefined): Values {
  const known = Object.keys(schema?.shape ?? {});
  const given = new URLSearchParams(request.originalUrl.split('?')[1] ?? '');
  const issues: ProblemIssue[] = [];
  const written: Values = {};
  for (const name of new Set(given.keys())) {
    const values = given.getAll(name);
    if (!known.includes(name)) issues.push({ path: shorten(name), message: unknownParameter(name, known) });
    else if (values.length > 1) issues.push({ path: name, message: 'is given more than once; give it once' });
    else if (values[0] === '') issues.push({ path: name, message: 'is empty; give a value or leave it out' });
    else written[name] = values[0];
  }
  if (issues.length > 0) throw invalidRequest('query', issues);
  return schema === undefined ? {} : check('query', schema, written);
}

/** The headers an operation declares, checked; others are none of its business. */
export function readHeaders(request: Request, schema: z.ZodObject | undefined): Values {
  if (schema === undefined) return {};
  const written: Values = {};
  for (const name of Object.keys(schema.shape)) {
    const values = request.headersDistinct[name];
    if (values !== undefined && values.length > 1) {
      throw invalidRequest('headers', [{ path: name, message: 'is given more than once; give it once' }]);
    }
    written[name] = values?.[0];
  }
  return check('headers', schema, written);
}

function check(where: string, schema: z.ZodObject, written: Values): Values {
  const parsed = schema.safeParse(written);
  if (!parsed.success) throw invalidRequest(where, toIssues(parsed.error, written));
  return parsed.data;
}

function unknownParameter(name: string, known: readonly string[]): string {
  if (known.length === 0) return 'unknown parameter; this operation takes none';
  const nearest = nearestName(name, known);
  return nearest === undefined
    ? `unknown parameter; known are ${known.join(', ')}`
    : `unknown parameter; did you mean ${nearest}?`;
}

function shorten(name: string): string {
  return name.length > 100 ? `${name.slice(0, 100)}…` : name;
}
