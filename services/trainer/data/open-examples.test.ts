import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dataColumnsSchema } from '../../contracts/run-spec/data.ts';
import { type DataOptions, type ExampleReader, openExamples } from './open-examples.ts';
import { type Example, parseExample } from './readers/parse-example.ts';
import { RowError } from './row.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'tandem-data-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));

function file(content: string | Buffer, name = 'data.jsonl'): string {
  const at = path.join(directory, name);
  mkdirSync(path.dirname(at), { recursive: true });
  writeFileSync(at, content);
  return at;
}

/** Rows as they are parsed; answers of more than 20 characters are cut, prompts of more than 40 refused. */
const reader: ExampleReader<Example> = {
  check: (row) => {
    const { messages, answer } = parseExample(row);
    if (messages[0]!.content.length > 40) throw new RowError(row.place, 'is too long', 'Shorten it.');
    return { isCut: (answer ?? '').length > 20 };
  },
  read: parseExample,
};

const options = (written: Record<string, string> = {}, on_invalid: 'stop' | 'skip' = 'stop'): DataOptions => ({
  columns: dataColumnsSchema.parse(written),
  on_invalid,
});
const openFile = (at: string, more = options()) => openExamples(at, 'train', reader, more);
const all = (size: number) => Array.from({ length: size }, (_, i) => i);
const line = (value: unknown) => `${JSON.stringify(value)}\n`;

test('prompts, conversations, numbers, blank lines and further columns are all read', async () => {
  const content = [
    '{"prompt":"1+1=","answer":2,"level":"easy"}',
    '',
    '{"id":"b","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}]}',
    '{"prompt":"ä","completion":"ö","answer":null}',
  ].join('\n');
  const source = await openFile(file(content));
  expect(await source.take([0, 1, 2])).toEqual([
    { id: 'train_1', messages: [{ role: 'user', content: '1+1=' }], plain: true, answer: '2' },
    { id: 'b', messages: [{ role: 'user', content: 'hi' }], plain: false, answer: 'hello' },
    { id: 'train_4', messages: [{ role: 'user', content: 'ä' }], plain: true, answer: 'ö' },
  ]);
  expect(source.sha256).toBe(createHash('sha256').update(content).digest('hex'));
});

test('any example of a file larger than one read is found by its index', async () => {
  const lines = Array.from({ length: 3000 }, (_, i) =>
    JSON.stringify({ prompt: `p${i}`, answer: `a${i}`, more: 'x'.repeat(100) }),
  );
  const source = await openFile(file(`${lines.join('\r\n')}\n`));
  expect(source.size).toBe(3000);
  expect((await source.take([2999, 0, 1234, 0])).map(({ answer }) => answer)).toEqual(['a2999', 'a0', 'a1234', 'a0']);
});

describe('a row that cannot be used is named with its line, the problem and the remedy', () => {
  test.each([
    ['{"prompt":"a"', 'is not JSON'],
    ['[1]', 'is no JSON object'],
    ['{"question":"a"}', 'has neither prompt nor messages (it has question)'],
    ['{"prompt":""}', 'prompt: is empty'],
    ['{"prompt":"a","answer":""}', 'the answer is empty'],
    ['{"prompt":"a","answer":["b"]}', 'answer: must be a text or a number'],
    ['{"prompt":"a","messages":[{"role":"user","content":"b"}],"answer":"c"}', 'both prompt and messages'],
    ['{"messages":[{"role":"assistant","content":"b"}]}', 'nothing to answer'],
    ['{"messages":[{"role":"user"}],"answer":"c"}', 'messages.0.content'],
  ])('%s', async (broken, problem) => {
    const failure = openFile(file(`{"prompt":"fine","answer":"1"}\n${broken}\n`));
    await expect(failure).rejects.toMatchObject({
      reason: 'invalid_data',
      message: expect.stringMatching(/data\.jsonl:2: /),
      remedy: expect.stringMatching(/"prompt"|data\.on_invalid: skip/),
    });
    await expect(failure).rejects.toThrow(problem);
  });
});

test('rows that cannot be used are skipped when asked: counted, the first ones named, and without an index', async () => {
  const rows = [1, 2, 3, 4, 5, 6, 7].map((i) => (i === 3 ? line({ prompt: 'p', answer: `a${i}` }) : `broken ${i}\n`));
  const at = file(
    `${rows.join('')}${line({ prompt: 'x'.repeat(41) })}${line({ prompt: 'p', answer: 'y'.repeat(21) })}`,
  );
  const source = await openFile(at, options({}, 'skip'));
  expect(source.size).toBe(2);
  expect((await source.take([0, 1])).map(({ id }) => id)).toEqual(['train_3', 'train_9']);
  expect(source.skipped.count).toBe(7);
  expect(source.skipped.first).toHaveLength(5);
  expect(source.skipped.first[0]).toMatch(/data\.jsonl:1: is not JSON/);
  expect(source.cut).toBe(1);
});

test('a data set of which nothing can be used is refused, also where rows are skipped', async () => {
  await expect(openFile(file('{}\n{}\n'), options({}, 'skip'))).rejects.toThrow(
    /none of its 2 rows can be used; the first: .*data\.jsonl:1: has neither/,
  );
  await expect(openFile(file('\n\n'))).rejects.toThrow('has no examples');
});

test('columns of other names are mapped, and what they displace does not count', async () => {
  const at = file(line({ question: '1+1=', answer: 'two', messages: 'for something else', solution: 2 }));
  const source = await openFile(at, options({ prompt: 'question', answer: 'solution' }));
  expect(await source.take([0])).toMatchObject([{ messages: [{ content: '1+1=' }], answer: '2' }]);
  await expect(openFile(at, options({ prompt: 'problem' }))).rejects.toMatchObject({
    message: expect.stringMatching(/:1: has no column "problem"; it has question, answer/),
    remedy: 'Set data.columns.prompt to one of them.',
  });
});

test('the same rows in JSONL, a JSON list, CSV, and a directory of several files are the same examples', async () => {
  const rows = [
    { prompt: 'a', answer: '1' },
    { prompt: 'b', answer: '2' },
    { prompt: 'c', answer: '3' },
  ];
  const sources = [
    await openFile(file(rows.map(line).join(''), 'one.jsonl')),
    await openFile(file(JSON.stringify(rows, null, 2), 'one.json')),
    await openFile(file(rows.map(line).join(''), 'lines.json')),
    await openFile(file('prompt,answer\na,1\nb,2\nc,3\n', 'one.csv')),
  ];
  file(line(rows[0]), 'many/1.jsonl');
  file('prompt,answer\nb,2\n', 'many/2.csv');
  file(JSON.stringify([rows[2]]), 'many/3.json');
  file('not data', 'many/README.md');
  sources.push(await openFile(path.join(directory, 'many')));
  for (const source of sources) {
    const examples = await source.take(all(3));
    expect(examples.map(({ messages, answer }) => [messages[0]!.content, answer])).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['c', '3'],
    ]);
    expect(new Set(examples.map(({ id }) => id)).size).toBe(3);
  }
});

test('the hash tells which rows are used, and as what', async () => {
  const at = file(`${line({ prompt: 'a', answer: 'b', question: 'c' })}broken\n`, 'h.jsonl');
  const hashes = [
    (await openFile(at, options({}, 'skip'))).sha256,
    (await openFile(at, options({ prompt: 'question' }, 'skip'))).sha256,
  ];
  writeFileSync(at, `broken\n${line({ prompt: 'a', answer: 'b', question: 'c' })}`);
  hashes.push((await openFile(at, options({}, 'skip'))).sha256);
  expect(new Set(hashes).size).toBe(3);
});

test('a file that changes under a run is not read with the places of the old one', async () => {
  const at = file(line({ prompt: 'a', answer: '1' }), 'changes.jsonl');
  const source = await openFile(at);
  writeFileSync(at, line({ prompt: 'b', answer: '2' }));
  utimesSync(at, 1, 1);
  await expect(source.take([0])).rejects.toThrow('was changed while it was in use');
});

test.each([
  ['absent', 'absent cannot be read (ENOENT)'],
  ['x.parquet', 'x.parquet is .parquet, which is not read'],
  ['empty', 'holds no data files (.jsonl'],
])('%s is refused', async (name, problem) => {
  if (name === 'empty') mkdirSync(path.join(directory, name), { recursive: true });
  else if (name !== 'absent') file('PAR1', name);
  await expect(openFile(path.join(directory, name))).rejects.toThrow(problem);
});
