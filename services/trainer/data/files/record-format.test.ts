import { expect, test } from 'vitest';
import { cutRecords, MAX_RECORD_BYTES } from './cut-records.ts';
import type { DataFormat } from './data-file.ts';
import { recordFormat } from './record-format.ts';

/** All records of a text, read in chunks of `size` bytes. */
async function records(format: DataFormat, text: string | Buffer, size = 7) {
  const bytes = Buffer.from(text as string);
  const parts = recordFormat({ path: 'f', format });
  async function* chunks() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const found: { line: number; number: number; columns: unknown }[] = [];
  for await (const piece of cutRecords(chunks(), parts.findEnd, (line) => new Error(`too long at ${line}`))) {
    const located = parts.locate(piece);
    if (located === null) continue;
    // What a later read finds at that place is the record itself.
    const again = Buffer.from(bytes.subarray(located.start, located.start + located.bytes.length));
    found.push({ line: located.line, number: located.number, columns: parts.parse(again, located.line) });
  }
  return found;
}

test.each([1, 3, 64, 4096])('lines are found whatever the chunks of %d bytes cut through', async (size) => {
  const found = await records('jsonl', '\uFEFF{"a":"ä"}\r\n\n{"a":2}\n  \n{"a":3}', size);
  expect(found).toEqual([
    { line: 1, number: 1, columns: { a: 'ä' } },
    { line: 3, number: 3, columns: { a: 2 } },
    { line: 5, number: 5, columns: { a: 3 } },
  ]);
});

test.each([1, 5, 4096])('the entries of a JSON list are found one by one (%d)', async (size) => {
  const text = '\uFEFF[\n  {"a": "]},{\\"[", "b": [1, [2]]},\n\n  {"a": {"c": "\\\\"}} , {}\n]\n';
  expect(await records('json', text, size)).toEqual([
    { line: 2, number: 1, columns: { a: ']},{"[', b: [1, [2]] } },
    { line: 4, number: 2, columns: { a: { c: '\\' } } },
    { line: 4, number: 3, columns: {} },
  ]);
  expect(await records('json', ' [ ] ', size)).toEqual([]);
});

test.each([
  ['[{"a":1}', 'f:1: the JSON list is not closed'],
  ['[{"a":1},]', 'the JSON list is not closed, or something follows it'],
  ['[{"a":1}]\n[]', 'or something follows'],
  ['[{"a":1}]\n[{}]', 'something other than a comma'],
  ['[,{"a":1}]', 'f:1: is not JSON'],
  ['[{"a":1} {"b":2}]', 'f:1: is not JSON'],
  ['[{},\n[1]]', 'f:2: is no JSON object'],
  ['[{},\n3]', 'f:2: is no JSON object'],
])('of a broken list it is said where it breaks: %s', async (text, problem) => {
  await expect(records('json', text)).rejects.toThrow(problem);
});

test.each([1, 6, 4096])('CSV fields hold commas, quotes and line ends (%d)', async (size) => {
  const text =
    'prompt,answer,messages\r\n"a, ""b""\nc",1,\r\n\r\n5" pipe,2,"[{""role"":""user"",""content"":""x""}]"\n';
  expect(await records('csv', text, size)).toEqual([
    { line: 2, number: 2, columns: { prompt: 'a, "b"\nc', answer: '1' } },
    { line: 5, number: 5, columns: { prompt: '5" pipe', answer: '2', messages: [{ role: 'user', content: 'x' }] } },
  ]);
  expect(await records('tsv', 'a\tb\n1,5\t"x\ty"', size)).toEqual([
    { line: 2, number: 2, columns: { a: '1,5', b: 'x\ty' } },
  ]);
});

test.each([
  ['a,b\n1', 'f:2: has 1 fields, the header names 2'],
  ['a,b\n1,"2', 'f:2: has a quote that is never closed'],
  ['a,b\n1,"2"3', 'f:2: has text after the closing quote of field 2'],
  ['a,a\n1,2', 'the header names "a" twice'],
])('of a broken table it is said where it breaks: %s', async (text, problem) => {
  await expect(records('csv', text)).rejects.toThrow(problem);
});

test('what is not UTF-8 is named, and a record without an end is not held in memory', async () => {
  await expect(records('jsonl', Buffer.from([0x7b, 0xff, 0x0a]))).rejects.toThrow('f:1: the line is not UTF-8');
  const endless = Buffer.alloc(MAX_RECORD_BYTES + 2, 97);
  await expect(records('jsonl', endless, 8 << 20)).rejects.toThrow('too long at 1');
});
