import { stringify } from 'yaml';
import { fromSchema, type Schema } from './from-schema.ts';
import { hostileTexts, spoil } from './hostile.ts';
import type { Random } from './random.ts';

export interface Parameter {
  in: 'path' | 'query' | 'header';
  name: string;
  required?: boolean;
  schema: Schema;
}

/** An operation as the OpenAPI document has it. */
export interface DocumentedOperation {
  operationId: string;
  method: string;
  path: string;
  parameters?: Parameter[];
  requestBody?: { required: boolean; content: Record<string, { schema: Schema }> };
}

export interface FuzzRequest {
  operation: string;
  method: string;
  target: string;
  headers: Record<string, string>;
  body: Buffer | null;
}

export interface RequestOptions {
  random: Random;
  resolve: (ref: string) => Schema;
  /** Values that mean something on the server: names of runs, of checkpoints, of files. */
  known: (parameter: string) => readonly string[];
  /** The body of a valid request, where a random one would seldom be. */
  sensible: (operation: string) => Record<string, unknown> | null;
}

/** A request for the operation: valid as its description has it, or, most of the time, with something wrong in it. */
export function makeRequest(operation: DocumentedOperation, options: RequestOptions): FuzzRequest {
  const { random } = options;
  const valid = random.chance(0.4);
  const headers: Record<string, string> = {};
  const query: string[] = [];
  let target = operation.path;
  for (const parameter of operation.parameters ?? []) {
    const wrong = !valid && random.chance(0.25);
    const value = wrong ? random.pick(hostileTexts) : chooseValue(parameter, options);
    if (parameter.in === 'path') target = target.replace(`{${parameter.name}}`, encode(value || ' '));
    else if (!parameter.required && random.chance(0.5)) continue;
    else if (parameter.in === 'query') query.push(`${parameter.name}=${encode(value)}`);
    else headers[parameter.name] = headerValue(value);
  }
  if (!valid && random.chance(0.1)) query.push(random.pick([...query, 'unknown=1', '=', '%', 'limit', '&&', 'a[b]=1']));
  if (!valid && random.chance(0.1)) headers['accept'] = random.pick(['image/png', '*/*;q=0', 'text/plain', '', ';;,']);
  const body = bodyOf(operation, valid, headers, options);
  return {
    operation: operation.operationId,
    method: operation.method.toUpperCase(),
    target: query.length === 0 ? target : `${target}?${query.join('&')}`,
    headers,
    body,
  };
}

function chooseValue(parameter: Parameter, { random, resolve, known }: RequestOptions): string {
  const names = known(parameter.name);
  return names.length > 0 && random.chance(0.9)
    ? random.pick(names)
    : String(fromSchema(parameter.schema, random, resolve));
}

function bodyOf(
  { operationId, requestBody }: DocumentedOperation,
  valid: boolean,
  headers: Record<string, string>,
  { random, resolve, sensible }: RequestOptions,
): Buffer | null {
  if (requestBody === undefined) return !valid && random.chance(0.05) ? Buffer.from('{}') : null;
  if (!requestBody.required && random.chance(0.2)) return null;
  const [media, { schema }] = random.pick(Object.entries(requestBody.content));
  headers['content-type'] = media;
  const made = fromSchema(schema, random, resolve);
  const document = { ...(made as object), ...sensible(operationId) };
  const written = valid ? document : spoil(random.chance(0.3) ? spoil(document, random) : document, random);
  const text = media === 'application/yaml' ? stringify(written) : JSON.stringify(written);
  if (valid) return Buffer.from(text);
  if (random.chance(0.1))
    headers['content-type'] = random.pick(['text/html', 'application/json; charset=utf-16', '/', '']);
  if (random.chance(0.05)) headers['content-encoding'] = 'gzip';
  return random.pick([
    ...Array.from({ length: 8 }, () => Buffer.from(text)),
    Buffer.from(text.slice(0, text.length >> 1)),
    Buffer.from([0xff, 0xfe, 0x00, 0x80]),
    Buffer.from('['.repeat(50_000)),
    Buffer.from('&a [*a, *a]'),
    Buffer.from(''),
  ]);
}

/** Percent-encoded, also where JavaScript refuses to: half a surrogate pair becomes U+FFFD, as in a browser. */
function encode(value: string): string {
  return encodeURIComponent(Buffer.from(value).toString());
}

/** What can stand in a header at all. */
function headerValue(value: string): string {
  return value.replace(/[^\t\x20-\x7e\x80-\xff]/g, '?').trim();
}
