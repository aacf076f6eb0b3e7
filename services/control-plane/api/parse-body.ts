import { z } from 'zod';
import { parseYaml } from './parse-yaml.ts';
import { ProblemError, type ProblemIssue } from './problem-error.ts';
import { invalidRequest, toIssues } from './request-issues.ts';

/** Nesting of a JSON or YAML document at most: more than any spec has, far less than what overflows a stack. */
export const MAX_DEPTH = 64;

const YAML_TYPE = 'application/yaml';
const NDJSON_TYPE = 'application/x-ndjson';
const otherNames: Readonly<Record<string, string>> = {
  'application/x-yaml': YAML_TYPE,
  'text/yaml': YAML_TYPE,
  'text/x-yaml': YAML_TYPE,
  'application/ndjson': NDJSON_TYPE,
};

export interface BodySpec {
  schema: z.ZodType;
  media: readonly string[];
  required: boolean;
}

/**
 * What a request body says, checked by the schema of its operation. An absent one that is not required reads as an empty object, or as no
 * lines at all.
 * @throws ProblemError unsupported-media-type, payload-too-large or invalid-request, which names the place.
 */
export function parseBody(bytes: Buffer, contentType: string | undefined, spec: BodySpec): unknown {
  if (bytes.length === 0) {
    if (spec.required)
      throw invalidRequest('body', [{ path: '', message: `is missing; send ${spec.media.join(' or ')}` }]);
    return checkBody(spec.schema, spec.schema instanceof z.ZodArray ? [] : {});
  }
  const media = mediaType(contentType, spec.media);
  const text = decode(bytes);
  if (media === NDJSON_TYPE) return parseLines(text, spec.schema);
  const document = media === YAML_TYPE ? parseYaml(text, MAX_DEPTH) : parseJson(text, 'body');
  refuseHostileShape(document, 'body');
  return checkBody(spec.schema, document);
}

function mediaType(contentType: string | undefined, allowed: readonly string[]): string {
  const wanted = `send ${allowed.join(' or ')} (header Content-Type)`;
  if (contentType === undefined) {
    throw new ProblemError('unsupported-media-type', `The body has no Content-Type; ${wanted}.`);
  }
  const [type = '', ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  const media = otherNames[type] ?? type;
  if (!allowed.includes(media)) {
    throw new ProblemError('unsupported-media-type', `The body is ${type.slice(0, 100)}; ${wanted}.`);
  }
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice(8)
    .replaceAll('"', '');
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8') {
    throw new ProblemError('unsupported-media-type', `The body is in ${charset.slice(0, 40)}; send it in UTF-8.`);
  }
  return media;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ProblemError('invalid-request', 'body: is not valid UTF-8; save it as UTF-8 and send it again.');
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new ProblemError('invalid-request', `${where}: is not valid JSON: ${(error as Error).message}`);
  }
}

/** NDJSON: one document per line; messages name the line as an editor counts it. */
function parseLines(text: string, schema: z.ZodType): unknown {
  const lines = text
    .split('\n')
    .map((line, index) => ({ line, number: index + 1 }))
    .filter(({ line }) => line.trim() !== '');
  const documents = lines.map(({ line, number }) => {
    const document = parseJson(line, `line ${number}`);
    refuseHostileShape(document, `line ${number}`);
    return document;
  });
  const parsed = schema.safeParse(documents);
  if (parsed.success) return parsed.data;
  throw invalidLines(toIssues(parsed.error, documents), (index) => lines[index]?.number ?? index + 1);
}

function invalidLines(found: readonly ProblemIssue[], numberOf: (index: number) => number): ProblemError {
  const issues = found.map(({ path, message }): ProblemIssue => {
    const [index, ...inner] = path.split('.');
    return path === ''
      ? { path: 'body', message }
      : { path: [`line ${numberOf(Number(index))}`, ...inner].join('.'), message };
  });
  const [first] = issues;
  return new ProblemError('invalid-request', first ? `${first.path}: ${first.message}` : 'body: is malformed', {
    issues,
  });
}

/**
 * Refuses what would overflow the stack of code that walks the document later, and keys by which it would reach the prototype of objects that are
 * merged from it.
 */
function refuseHostileShape(document: unknown, where: string): void {
  const open: { value: unknown; depth: number }[] = [{ value: document, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next.value !== 'object' || next.value === null) continue;
    if (next.depth > MAX_DEPTH) {
      throw new ProblemError('invalid-request', `${where}: is nested deeper than ${MAX_DEPTH} levels; flatten it.`);
    }
    if (Object.hasOwn(next.value, '__proto__')) {
      throw new ProblemError(
        'invalid-request',
        `${where}: holds the key __proto__, which is not allowed; leave it out.`,
      );
    }
    for (const value of Object.values(next.value)) open.push({ value, depth: next.depth + 1 });
  }
}

function checkBody(schema: z.ZodType, document: unknown): unknown {
  const parsed = schema.safeParse(document);
  if (!parsed.success) throw invalidRequest('body', toIssues(parsed.error, document));
  return parsed.data;
}
