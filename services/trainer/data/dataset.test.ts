import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeTinyModel } from '../../model/tiny-model.ts';
import { loadTokenizer, type Tokenizer } from '../../model/tokenizer.ts';
import { readDataset } from './dataset.ts';
import { tokenizeCompletions, tokenizePrompts } from './tokenize.ts';

let directory: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'tandem-data-'));
  await makeTinyModel(path.join(directory, 'model'));
  tokenizer = await loadTokenizer(path.join(directory, 'model'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));

function file(content: string | Buffer): string {
  const at = path.join(directory, 'data.jsonl');
  writeFileSync(at, content);
  return at;
}

test('prompts, conversations, numbers, blank lines and further columns are all read', async () => {
  const content = [
    '{"prompt":"1+1=","answer":2,"level":"easy"}',
    '',
    '{"id":"b","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"hello"}]}',
    '{"prompt":"ä","completion":"ö"}',
  ].join('\n');
  const dataset = await readDataset(file(content), 'train');
  expect(dataset.examples).toMatchObject([
    { id: 'train_1', line: 1, messages: [{ role: 'user', content: '1+1=' }], answer: '2' },
    { id: 'b', line: 3, messages: [{ role: 'user', content: 'hi' }], answer: 'hello' },
    { id: 'train_4', messages: [{ role: 'user', content: 'ä' }], answer: 'ö' },
  ]);
  expect(dataset.sha256).toBe(createHash('sha256').update(content).digest('hex'));
});

test('a file larger than one read keeps its lines apart', async () => {
  const lines = Array.from({ length: 20_000 }, (_, i) => JSON.stringify({ prompt: `p${i}`, answer: `a${i}` }));
  const { examples } = await readDataset(file(`${lines.join('\r\n')}\n`), 'val');
  expect(examples).toHaveLength(20_000);
  expect(examples.at(-1)).toMatchObject({ id: 'val_20000', answer: 'a19999' });
});

describe('a line that cannot be used is named with its number, the problem and the remedy', () => {
  test.each([
    ['{"prompt":"a"', 'is not JSON'],
    ['[1]', 'is no JSON object'],
    ['{"answer":"a"}', 'has neither prompt nor messages'],
    ['{"prompt":""}', 'prompt: is empty'],
    ['{"prompt":"a","answer":""}', 'the answer is empty'],
    ['{"prompt":"a","messages":[{"role":"user","content":"b"}],"answer":"c"}', 'both prompt and messages'],
    ['{"messages":[{"role":"assistant","content":"b"}]}', 'nothing to answer'],
    ['{"messages":[{"role":"user"}],"answer":"c"}', 'messages.0.content'],
  ])('%s', async (line, problem) => {
    const failure = readDataset(file(`{"prompt":"fine","answer":"1"}\n${line}\n`), 'train');
    await expect(failure).rejects.toMatchObject({
      reason: 'invalid_data',
      message: expect.stringMatching(/data\.jsonl:2: /),
      remedy: expect.stringContaining('"prompt"'),
    });
    await expect(failure).rejects.toThrow(problem);
  });
});

test.each([
  [Buffer.from([0x7b, 0xff, 0x0a]), 'not UTF-8'],
  ['\n\n', 'has no examples'],
])('a file that is no data set is refused', async (content, problem) => {
  await expect(readDataset(file(content), 'train')).rejects.toThrow(problem);
});

test('a missing file is named', async () => {
  await expect(readDataset(path.join(directory, 'absent'), 'train')).rejects.toThrow('absent cannot be read (ENOENT)');
});

test('a completion is the answer and the token that ends a turn, after the prompt as the template renders it', async () => {
  const dataset = await readDataset(file('{"prompt":"38+47=","answer":"85"}\n'), 'train');
  const { examples, truncated } = tokenizeCompletions(dataset, tokenizer, 64);
  const { prompt, completion } = examples[0]!;
  expect(tokenizer.decode(prompt)).toBe('<|im_start|>user\n38+47=<|im_end|>\n<|im_start|>assistant\n');
  expect(tokenizer.decode(completion)).toBe('85<|im_end|>');
  expect(truncated).toBe(0);
});

test('a completion that is too long is cut at its end and counted; a prompt that is too long is refused', async () => {
  const dataset = await readDataset(file('{"prompt":"1","answer":"123456789"}\n'), 'train');
  const { examples, truncated } = tokenizeCompletions(dataset, tokenizer, 15);
  expect(truncated).toBe(1);
  expect(examples[0]!.prompt.length + examples[0]!.completion.length).toBe(15);
  expect(() => tokenizeCompletions(dataset, tokenizer, 9)).toThrow(/data\.jsonl:1: the prompt alone has \d+ tokens/);
});

test('a prompt of a GRPO task must leave room for its completion, and its answer is needed', async () => {
  const options = { systemPrompt: null, maxLength: 20, maxNewTokens: 15 };
  const dataset = await readDataset(file('{"prompt":"1+1=","answer":"2"}\n'), 'train');
  expect(() => tokenizePrompts(dataset, tokenizer, options)).toThrow('leaves 5');
  const [example] = tokenizePrompts(dataset, tokenizer, { ...options, maxLength: 64, systemPrompt: 'Add.' });
  expect(tokenizer.decode(example!.prompt)).toContain('<|im_start|>system\nAdd.');
  expect(example!.messages).toBe(2);
  const unanswered = await readDataset(file('{"prompt":"1+1="}\n'), 'train');
  expect(() => tokenizePrompts(unanswered, tokenizer, { ...options, maxLength: 64 })).toThrow(
    'neither completion nor answer',
  );
});
