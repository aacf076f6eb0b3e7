import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseBody } from './parse-body.ts';
import { YAML_LIMIT_BYTES } from './parse-yaml.ts';
import { ProblemError } from './problem-error.ts';

const document = { schema: z.unknown(), media: ['application/json', 'application/yaml'], required: true };
const lines = {
  schema: z.array(z.strictObject({ n: z.int().min(1) })).max(1000),
  media: ['application/x-ndjson'],
  required: false,
};

const parse = (text: string | Buffer, type: string | undefined, spec: Parameters<typeof parseBody>[2] = document) =>
  parseBody(Buffer.from(text), type, spec);

/** The problem that parsing ends with, as `type: detail`. */
function refusal(...args: Parameters<typeof parse>): string {
  try {
    parse(...args);
  } catch (error) {
    if (error instanceof ProblemError) return `${error.type}: ${error.message}`;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('documents', () => {
  test('the same spec in JSON and in YAML reads the same', () => {
    const spec = { model: { name: 'm' }, training: { learning_rate: 1e-5, output_dir: null }, tags: ['a', 'b'] };
    const yaml = 'model:\n  name: m\ntraining:\n  learning_rate: 1.0e-5\n  output_dir: null\ntags: ["a", b] # tags\n';
    expect(parse(JSON.stringify(spec), 'application/json; charset=UTF-8')).toEqual(spec);
    expect(parse(yaml, 'application/yaml')).toEqual(spec);
    expect(parse(yaml, 'text/yaml')).toEqual(spec);
  });

  test('YAML anchors are resolved', () => {
    expect(parse('a: &x {r: 16}\nb: *x', 'application/yaml')).toEqual({ a: { r: 16 }, b: { r: 16 } });
  });

  test.each([
    ['form fields', 'a=1', 'application/x-www-form-urlencoded', 'unsupported-media-type'],
    ['no type', '{}', undefined, 'unsupported-media-type'],
    ['another charset', '{}', 'application/json; charset=utf-16', 'unsupported-media-type'],
    ['bad UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), 'application/json', 'invalid-request'],
    ['an overlong encoding', Buffer.from([0x22, 0xc0, 0xaf, 0x22]), 'application/json', 'invalid-request'],
    ['half a JSON document', '{"a": ', 'application/json', 'invalid-request'],
    ['two JSON documents', '{}{}', 'application/json', 'invalid-request'],
    [
      'JSON that is 100,000 lists deep',
      '['.repeat(100_000) + ']'.repeat(100_000),
      'application/json',
      'invalid-request',
    ],
    ['JSON that sets a prototype', '{"a": {"__proto__": {"method": "sft"}}}', 'application/json', 'invalid-request'],
    ['YAML that sets a prototype', '__proto__:\n  method: sft', 'application/yaml', 'invalid-request'],
    ['two YAML documents', 'a: 1\n---\nb: 2', 'application/yaml', 'invalid-request'],
    ['a YAML key given twice', 'a: 1\na: 2', 'application/yaml', 'invalid-request'],
    ['a custom YAML tag', 'a: !!js/function "() => 1"', 'application/yaml', 'invalid-request'],
    ['a YAML alias without anchor', 'a: *b', 'application/yaml', 'invalid-request'],
    ['no body', '', 'application/json', 'invalid-request'],
  ])('%s: refused as %s', (_what, body, type, expected) => {
    expect(refusal(body, type).split(':')[0]).toBe(expected);
  });

  test('a YAML mistake is told with line and column', () => {
    expect(refusal('model:\n  name: m\n bad', 'application/yaml')).toMatch(/line 3, column \d+/);
  });
});

describe('YAML that would occupy or end the process is refused within a second', () => {
  const full = (unit: string) => unit.repeat(Math.floor(YAML_LIMIT_BYTES / unit.length));
  const laughs = Array.from({ length: 12 }, (_, level) =>
    level === 0
      ? 'a0: &a0 [x, x, x, x, x, x, x, x, x]'
      : `a${level}: &a${level} [${Array(9)
          .fill(`*a${level - 1}`)
          .join(', ')}]`,
  ).join('\n');

  test.each([
    ['lists in lists', full('[')],
    ['maps in maps', full('{a: ')],
    ['block lists in lists', full('- ')],
    ['keys as keys', full('? ')],
    ['maps by indentation', Array.from({ length: 300 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n')],
    ['a billion laughs', laughs],
    ['closing brackets', full(']')],
    ['quotes', full('"')],
    ['commas', `[${full(',').slice(1)}`],
    ['anchors without values', full('&a ').slice(0, -1)],
    ['one byte more than the limit', `a: ${'x'.repeat(YAML_LIMIT_BYTES)}`],
  ])('%s', (_what, body) => {
    // Processor time: what else the machine does is no fault of the parser.
    const before = process.cpuUsage();
    expect(refusal(body, 'application/yaml')).toMatch(/^(invalid-request|payload-too-large): .{10,400}$/s);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(1500);
  });
});

describe('lines', () => {
  test('blank lines and a missing last line break do not matter', () => {
    expect(parse('{"n":1}\n\n{"n":2}', 'application/x-ndjson', lines)).toEqual([{ n: 1 }, { n: 2 }]);
  });

  test('an empty body is no lines at all', () => {
    expect(parse('', undefined, lines)).toEqual([]);
  });

  test('messages name the line as an editor counts it', () => {
    expect(refusal('{"n":1}\n\n{"n":', 'application/x-ndjson', lines)).toContain(
      'invalid-request: line 3: is not valid JSON',
    );
    expect(refusal('\n{"n":1}\n{"n":0}', 'application/x-ndjson', lines)).toContain('line 3.n: ');
    expect(refusal('{"n":1,"m":2}', 'application/x-ndjson', lines)).toContain('line 1.m: unknown key');
  });

  test('a deep line is refused like a deep document', () => {
    expect(refusal(`{"n":1}\n${'['.repeat(5000)}${']'.repeat(5000)}`, 'application/x-ndjson', lines)).toContain(
      'line 2: is nested deeper',
    );
  });
});

describe('optional bodies', () => {
  test('an absent one reads as an empty object with its defaults', () => {
    const spec = {
      schema: z.strictObject({ from: z.string().default('latest') }),
      media: ['application/json'],
      required: false,
    };
    expect(parse('', undefined, spec)).toEqual({ from: 'latest' });
  });
});
