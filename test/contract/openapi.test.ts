import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { generateApi } from '../../scripts/generate-api.ts';
import { generateMetrics } from '../../scripts/generate-metrics.ts';
import { agentOperations } from '../../services/contracts/agent-operations.ts';
import { operations } from '../../services/contracts/operations.ts';
import { problems } from '../../services/contracts/problem.ts';

type Json = Record<string, unknown>;
interface Place {
  path: string;
  node: Json;
}

const text = readFileSync('openapi/openapi.yaml', 'utf8');
const document = parse(text) as Json & {
  paths: Record<string, Record<string, Json>>;
  components: Record<string, Record<string, Json>>;
};
const places = [...walk(document, '')];
const methods = ['get', 'post', 'patch', 'delete', 'put'];
const documented = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([method]) => methods.includes(method))
    .map(([method, operation]) => ({ path, method, operation })),
);

describe('what is committed', () => {
  test.each([
    'openapi/openapi.yaml',
    'services/api-types/openapi.d.ts',
    'services/trainer/METRICS.md',
  ])('%s is what the contracts say; `npm run generate` writes it', async (path) => {
    const generated = [...(await generateApi()), generateMetrics()].find((file) => file.path === path);
    expect(generated?.content === readFileSync(path, 'utf8'), `${path} is out of date: run npm run generate`).toBe(
      true,
    );
  });

  test('is the same bytes each time it is generated', async () => {
    expect(await generateApi()).toEqual(await generateApi());
  });
});

describe('every operation', () => {
  test('of both tables is described once, under its own name', () => {
    const names = documented.map(({ operation }) => operation['operationId']);
    expect(names.sort()).toEqual([...Object.keys(operations), ...Object.keys(agentOperations)].sort());
  });

  test.each(
    documented.map((one) => [`${one.method} ${one.path}`, one] as const),
  )('%s has summary, tag, parameters and answers', (_name, one) => {
    const { operation, path } = one;
    const tags = (document['tags'] as { name: string }[]).map(({ name }) => name);
    expect(operation['summary']).toMatch(/^[A-Z].{5,79}[^.]$/);
    expect(operation['tags']).toEqual([expect.toSatisfy((tag: string) => tags.includes(tag))]);
    const parameters = (operation['parameters'] ?? []) as Json[];
    const inPath = parameters.filter((parameter) => parameter['in'] === 'path').map((parameter) => parameter['name']);
    expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    for (const parameter of parameters) {
      expect(parameter['description'], String(parameter['name'])).toMatch(/\S{3}/);
      expect(hasExample(parameter['schema'] as Json), String(parameter['name'])).toBe(true);
    }
    const answers = Object.entries(operation['responses'] as Record<string, Json>);
    expect(answers.some(([status]) => status.startsWith('2'))).toBe(true);
    for (const [status, answer] of answers) {
      expect(answer['description'], status).toMatch(/\S{3}/);
      if (Number(status) >= 400) expect(problemExamples(answer).length, status).toBeGreaterThan(0);
    }
  });

  test('says that it may fail, need a token and be asked for what it cannot answer', () => {
    for (const { operation } of documented) {
      expect(Object.keys(operation['responses'] as Json)).toEqual(expect.arrayContaining(['401', '406', '500']));
    }
  });

  test('of a trainer needs the token of its attempt and is served by another listener', () => {
    const agent = documented.filter(({ path }) => path.startsWith('/agent/'));
    expect(agent.map(({ operation }) => operation['security'])).toEqual(agent.map(() => [{ attemptToken: [] }]));
    for (const { path } of agent) expect(document.paths[path]?.['servers']).toBeDefined();
  });
});

describe('every property', () => {
  const properties = places.flatMap(({ path, node }) =>
    isObject(node['properties'])
      ? Object.entries(node['properties']).map(([name, schema]) => ({
          path: `${path}.properties.${name}`,
          schema: schema as Json,
        }))
      : [],
  );

  test('is described, with an example', () => {
    expect(properties.length).toBeGreaterThan(200);
    const bare = properties.filter(({ schema }) => !described(schema) || !hasExample(schema));
    expect(bare.map(({ path }) => path)).toEqual([]);
  });

  test('has an example that says something: of its type', () => {
    const wrong = properties.filter(({ schema }) => 'example' in schema && !fits(schema['example'], schema));
    expect(wrong.map(({ path, schema }) => `${path}: ${JSON.stringify(schema['example'])}`)).toEqual([]);
  });
});

describe('components', () => {
  const references = new Set(places.flatMap(({ node }) => (typeof node['$ref'] === 'string' ? [node['$ref']] : [])));
  const mapped = places.flatMap(({ node }) => (isObject(node['mapping']) ? Object.values(node['mapping']) : []));

  test('that are referred to exist', () => {
    const missing = [...references, ...mapped].filter((reference) => resolve(String(reference)) === undefined);
    expect(missing).toEqual([]);
  });

  test('are all used', () => {
    const schemes = places.flatMap(({ node }) =>
      Array.isArray(node['security']) ? node['security'].flatMap((scheme: Json) => Object.keys(scheme)) : [],
    );
    const used = new Set([...references, ...mapped, ...schemes.map((name) => `#/components/securitySchemes/${name}`)]);
    const all = Object.entries(document.components).flatMap(([kind, named]) =>
      Object.keys(named).map((name) => `#/components/${kind}/${name}`),
    );
    expect(all.filter((one) => !used.has(one))).toEqual([]);
  });
});

test('every problem but the one of no operation is documented with the answer that a client gets', () => {
  for (const [type, { status, title, example }] of Object.entries(problems)) {
    if (type === 'method-not-allowed') continue;
    expect(document.components['examples']?.[type]?.['value'], type).toMatchObject({
      type: `urn:tandem:problem:${type}`,
      status,
      title,
      detail: example,
    });
  }
});

test('no example reads like a real secret or leaves the local machine', () => {
  expect(text).not.toMatch(/https:\/\/(?!json-schema\.org)/);
  expect(text).not.toMatch(/\b(sk-|hf_|ghp_)[A-Za-z0-9]/);
});

function* walk(node: unknown, path: string): Generator<Place> {
  if (Array.isArray(node)) for (const [at, child] of node.entries()) yield* walk(child, `${path}[${at}]`);
  if (!isObject(node)) return;
  yield { path, node };
  // Examples are data: what looks like a schema in them is none.
  for (const [key, child] of Object.entries(node))
    if (key !== 'example' && key !== 'default') yield* walk(child, path === '' ? key : `${path}.${key}`);
}

function resolve(reference: string): Json | undefined {
  const keys = reference.replace('#/', '').split('/');
  return keys.reduce<unknown>((at, key) => (isObject(at) ? at[key] : undefined), document) as Json | undefined;
}

function described(schema: Json): boolean {
  const own = typeof schema['description'] === 'string' && schema['description'].length > 2;
  return own || (typeof schema['$ref'] === 'string' && typeof resolve(schema['$ref'])?.['description'] === 'string');
}

/** A reference to a schema with properties has its examples there. */
function hasExample(schema: Json): boolean {
  if ('example' in schema) return true;
  const target = typeof schema['$ref'] === 'string' ? resolve(schema['$ref']) : undefined;
  return target !== undefined && ('example' in target || 'properties' in target);
}

function fits(example: unknown, schema: Json): boolean {
  const types = [schema['type']].flat().filter((type) => type !== undefined);
  if (types.length === 0) return true;
  return types.some((type) => {
    if (type === 'null') return example === null;
    if (type === 'array') return Array.isArray(example);
    if (type === 'object') return isObject(example);
    if (type === 'integer') return Number.isInteger(example);
    return typeof example === type;
  });
}

function problemExamples(answer: Json): string[] {
  const content = answer['content'] as Record<string, Json> | undefined;
  return Object.keys((content?.['application/problem+json']?.['examples'] ?? {}) as Json);
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
