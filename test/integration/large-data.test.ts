import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

const dist = resolve(import.meta.dirname, '../../dist/services');
const ROWS = 100_000;
const PADDING = 2500;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-large-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Rows of 2.5 kB, 250 MB in all, as a JSON list or as lines. */
async function write(name: string, [open, between, close]: readonly [string, string, string]): Promise<string> {
  const file = join(directory, name);
  const out = createWriteStream(file);
  const padding = 'y'.repeat(PADDING);
  out.write(open);
  for (let i = 0; i < ROWS; i++) {
    const row = `{"prompt":"q${i}","answer":"${padding}${i}"}${i + 1 < ROWS ? between : ''}`;
    if (!out.write(row)) await once(out, 'drain');
  }
  out.end(close);
  await once(out, 'finish');
  return file;
}

/** Opens the file in a process of its own and takes rows from all over it. */
const program = `
import { openExamples } from '${dist}/trainer/data/open-examples.js';
import { dataColumnsSchema } from '${dist}/contracts/run-spec/data.js';
const rss = () => process.resourceUsage().maxRSS / 1024;
const before = rss();
const reader = { check: () => ({ isCut: false }), read: ({ columns }) => Number(columns.answer.slice(${PADDING})) };
const options = { columns: dataColumnsSchema.parse({}), on_invalid: 'stop' };
const source = await openExamples(process.argv[1], 'train', reader, options);
let right = 0;
for (let i = 0; i < 200; i++) {
  const wanted = Array.from({ length: 8 }, (_, j) => ((i * 8 + j) * 7919) % source.size);
  const found = await source.take(wanted);
  right += found.filter((value, j) => value === wanted[j]).length;
}
console.log(JSON.stringify({ size: source.size, right, grownMiB: rss() - before }));
`;

test.each([
  ['rows.jsonl', ['', '\n', '\n']],
  ['rows.json', ['[\n', ',\n', '\n]\n']],
] as const)('of 250 MB in %s no more than the places of its rows are in memory', async (name, format) => {
  const file = await write(name, format);
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', program, file], { encoding: 'utf8' });
  const { size, right, grownMiB } = JSON.parse(output) as { size: number; right: number; grownMiB: number };
  expect({ size, right }).toEqual({ size: ROWS, right: 1600 });
  expect(grownMiB).toBeLessThan(100);
});
