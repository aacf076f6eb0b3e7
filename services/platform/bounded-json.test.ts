import { mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseBoundedJson, readBoundedJson } from './bounded-json.ts';

const directory = mkdtempSync(join(tmpdir(), 'tandem-json-'));
afterAll(() => rm(directory, { recursive: true }));

describe('JSON from elsewhere', () => {
  it('reads NaN and the infinities of Python as null, or as words where they are wanted, and leaves strings alone', () => {
    const text = '{"a": NaN, "b": [-Infinity, Infinity, -1.5], "c": "a NaN \\" Infinity", "NaN": 1}';
    expect(parseBoundedJson(text, 3)).toEqual({ a: null, b: [null, null, -1.5], c: 'a NaN " Infinity', NaN: 1 });
    expect(parseBoundedJson(text, 3, 'word')).toMatchObject({ a: 'NaN', b: ['-Infinity', 'Infinity', -1.5] });
  });

  it('is refused when it is nested 100,000 deep, without recursing into it', () => {
    for (const [open, close] of ['[]', '{}'].map((pair) => [...pair] as [string, string])) {
      const inner = open === '{' ? '{"a":' : '[';
      const text = `${inner.repeat(100_000)}1${close.repeat(100_000)}`;
      expect(() => parseBoundedJson(text, 64)).toThrow('is nested more than 64 deep');
    }
    expect(parseBoundedJson(`"${'['.repeat(1000)}"`, 1)).toHaveLength(1000);
  });

  it('is refused by its size before it is read: 100 MB of it are more than any state file has', async () => {
    const file = join(directory, 'large.json');
    writeFileSync(file, '{}');
    truncateSync(file, 100_000_000);
    await expect(readBoundedJson(file)).rejects.toThrow('has 100000000 bytes; the limit for JSON is 67108864');
  });

  it('with a string of ten million characters is read', () => {
    expect(parseBoundedJson(JSON.stringify({ a: 'x'.repeat(10_000_000) }), 1)).toMatchObject({});
  });

  it('that is cut off anywhere is refused', () => {
    const text = '{"a": [1, "x\\"", NaN], "b": {}}';
    for (let length = 0; length < text.length; length++) {
      expect(() => parseBoundedJson(text.slice(0, length), 8)).toThrow('is not JSON');
    }
  });
});
