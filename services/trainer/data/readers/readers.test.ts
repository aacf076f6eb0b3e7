import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ModelError } from '../../../contracts/model-error.ts';
import { makeTinyModel } from '../../../model/tiny-model.ts';
import { loadTokenizer, type Tokenizer } from '../../../model/tokenizer.ts';
import { requireEndOfTurn } from '../require-end-of-turn.ts';
import type { Row, RowError } from '../row.ts';
import { createCompletionReader } from './completion-reader.ts';
import { parseExample } from './parse-example.ts';
import { parsePreference } from './parse-preference.ts';
import { createPreferenceReader } from './preference-reader.ts';
import { createPromptReader, weighPrompt } from './prompt-reader.ts';

let directory: string;
let tokenizer: Tokenizer;
beforeAll(async () => {
  directory = mkdtempSync(path.join(tmpdir(), 'tandem-readers-'));
  await makeTinyModel(directory);
  tokenizer = await loadTokenizer(directory);
});
afterAll(() => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }));

const row = (columns: Record<string, unknown>, isTable = false): Row => ({
  place: { path: 'f', isTable, line: 3, name: 'train_3' },
  columns,
});
const user = (content: string) => ({ role: 'user', content });
const assistant = (content: string) => ({ role: 'assistant', content });

test('a completion is the answer and the token that ends a turn, after the prompt as the template renders it', () => {
  const reader = createCompletionReader(tokenizer, 64);
  const { prompt, completion } = reader.read(row({ prompt: '38+47=', answer: '85' }));
  expect(tokenizer.decode(prompt)).toBe('<|im_start|>user\n38+47=<|im_end|>\n<|im_start|>assistant\n');
  expect(tokenizer.decode(completion)).toBe('85<|im_end|>');
});

test('of a conversation with several answers the last one is learned', () => {
  const messages = [user('a'), assistant('b'), user('c'), assistant('d')];
  const { prompt, completion } = createCompletionReader(tokenizer, 200).read(row({ messages }));
  expect(tokenizer.decode(prompt)).toContain('b<|im_end|>\n<|im_start|>user\nc');
  expect(tokenizer.decode(completion)).toBe('d<|im_end|>');
});

test('a completion that is too long is cut at its end and told; a prompt that is too long is refused', () => {
  const long = row({ prompt: '1', answer: '123456789' });
  const reader = createCompletionReader(tokenizer, 15);
  expect(reader.check(long)).toEqual({ isCut: true });
  const { prompt, completion } = reader.read(long);
  expect(prompt.length + completion.length).toBe(15);
  expect(() => createCompletionReader(tokenizer, 9).check(long)).toThrow(/f:3: the prompt alone has \d+ tokens/);
});

test('checking says of every length what reading finds', () => {
  const example = row({ prompt: '1+1=', answer: '12345' });
  for (let length = 5; length < 60; length++) {
    const reader = createCompletionReader(tokenizer, length);
    const told = outcome(() => reader.check(example).isCut);
    const { prompt, completion } = createCompletionReader(tokenizer, 1000).read(example);
    expect(told).toBe(length <= prompt.length ? 'refused' : prompt.length + completion.length > length);
  }
});

function outcome<T>(work: () => T): T | 'refused' {
  try {
    return work();
  } catch {
    return 'refused';
  }
}

test('a prompt of a GRPO task must leave room for its completion, and keeps its columns', () => {
  const options = { systemPrompt: null, maxLength: 20, maxNewTokens: 15, needsAnswer: 'the reward exact' };
  const task = row({ prompt: '1+1=', answer: 2, level: 'easy' });
  expect(() => createPromptReader(tokenizer, options).check(task)).toThrow('leaves 5');
  const reader = createPromptReader(tokenizer, { ...options, maxLength: 64, systemPrompt: 'Add.' });
  const example = reader.read(task);
  expect(tokenizer.decode(example.prompt)).toContain('<|im_start|>system\nAdd.');
  expect(example).toMatchObject({ messages: 2, source: '1+1=', answer: '2', columns: { level: 'easy' } });
});

test('an answer is asked for where a reward needs one', () => {
  const options = { systemPrompt: null, maxLength: 64, maxNewTokens: 8 };
  const task = row({ prompt: '1+1=' });
  expect(() => createPromptReader(tokenizer, { ...options, needsAnswer: 'the reward exact' }).check(task)).toThrow(
    'f:3: has neither completion nor answer, which the reward exact compares with',
  );
  expect(createPromptReader(tokenizer, { ...options, needsAnswer: null }).read(task).answer).toBeNull();
});

test('a prompt weighs what its row does, which may be far longer', () => {
  const reader = createPromptReader(tokenizer, {
    systemPrompt: null,
    maxLength: 64,
    maxNewTokens: 4,
    needsAnswer: null,
  });
  const weights = [0, 40_000].map((more) => weighPrompt(reader.read(row({ prompt: '1+1=', tests: 'x'.repeat(more) }))));
  expect(weights[0]).toBeLessThan(64);
  expect(weights[1]! - weights[0]!).toBe(10_000);
});

describe('preferences', () => {
  const expected = { messages: [user('q')], chosen: 'good', rejected: 'bad' };

  test.each<[string, Record<string, unknown>]>([
    ['texts', { prompt: 'q', chosen: 'good', rejected: 'bad' }],
    ['lists of messages', { prompt: [user('q')], chosen: [assistant('good')], rejected: [assistant('bad')] }],
    [
      'conversations that begin alike',
      { chosen: [user('q'), assistant('good')], rejected: [user('q'), assistant('bad')] },
    ],
    [
      'a prompt that the conversations repeat',
      { prompt: 'q', chosen: [user('q'), assistant('good')], rejected: [user('q'), assistant('bad')] },
    ],
  ])('%s are read', (_, columns) => {
    expect(parsePreference(row(columns))).toMatchObject(expected);
  });

  test.each<[Record<string, unknown>, string]>([
    [{ chosen: 'a', rejected: 'b' }, 'has no prompt, and chosen and rejected are no conversations'],
    [{ prompt: 'q', chosen: 'a' }, 'rejected: must be a text or a list'],
    [{ prompt: 'q', chosen: 'a', rejected: '' }, 'rejected is empty'],
    [{ prompt: 'q', chosen: 'a', rejected: 'a' }, 'are the same: nothing is preferred'],
    [{ chosen: [user('a'), assistant('b')], rejected: [user('x'), assistant('b')] }, 'begin with different messages'],
    [{ chosen: [user('q'), assistant('b')], rejected: [user('q'), assistant('b')] }, 'are the same'],
    [{ prompt: 'q', chosen: [user('x')], rejected: 'b' }, 'chosen must be one message of the assistant'],
  ])('%j is refused', (columns, problem) => {
    expect(() => parsePreference(row(columns))).toThrow(problem);
  });

  test('are tokenised with one prompt, and both answers end their turn', () => {
    const reader = createPreferenceReader(tokenizer, 64);
    const { prompt, chosen, rejected } = reader.read(row({ prompt: 'q', chosen: '12', rejected: '3' }));
    expect(tokenizer.decode(prompt)).toBe('<|im_start|>user\nq<|im_end|>\n<|im_start|>assistant\n');
    expect([chosen, rejected].map((tokens) => tokenizer.decode(tokens))).toEqual(['12<|im_end|>', '3<|im_end|>']);
    expect(
      createPreferenceReader(tokenizer, prompt.length + 2).check(row({ prompt: 'q', chosen: '12', rejected: '3' })),
    ).toEqual({
      isCut: true,
    });
    expect(() =>
      createPreferenceReader(tokenizer, prompt.length).check(row({ prompt: 'q', chosen: '1', rejected: '3' })),
    ).toThrow('the prompt alone has');
  });
});

test('a model that has no token to end an answer with, or does not embed it, is told before training', () => {
  const model = { directory, config: { vocabSize: 10 } as never };
  expect(() => requireEndOfTurn({ ...model, tokenizer: { ...tokenizer, eosTokenIds: [] } })).toThrow(
    'no token ends an answer',
  );
  expect(() => requireEndOfTurn({ ...model, tokenizer: { ...tokenizer, eosTokenIds: [9, 10] } })).toThrow(
    'token 10 ends an answer, but the model embeds 10 tokens',
  );
});

test('conversations as ShareGPT writes them are read, under their own column or a named one', () => {
  const conversations = [
    { from: 'system', value: 's' },
    { from: 'human', value: 'q' },
    { from: 'gpt', value: 'a' },
  ];
  const expected = { messages: [{ role: 'system', content: 's' }, user('q')], answer: 'a' };
  expect(parseExample(row({ conversations }))).toMatchObject(expected);
  expect(parseExample(row({ messages: conversations }))).toMatchObject(expected);
  expect(parseExample(row({ prompt: 'p', answer: 'b', conversations }))).toMatchObject({ answer: 'b', plain: true });
  expect(() => parseExample(row({ conversations: [{ from: 'human' }] }))).toThrow('messages.0.content');
});

test('remedies speak of columns where the file is a table, and say how to leave out what is empty', () => {
  const remedyOf = (columns: Record<string, unknown>, isTable: boolean) => {
    try {
      parseExample(row(columns, isTable));
    } catch (error) {
      return (error as RowError).remedy;
    }
    return null;
  };
  expect(remedyOf({ question: 'x' }, true)).toBe(
    'Give the file the columns prompt and answer, or name those it has in data.columns.',
  );
  expect(remedyOf({ question: 'x' }, false)).toContain('Give each line as {"prompt"');
  expect(remedyOf({ prompt: 'x', answer: '' }, true)).toContain('data.on_invalid: skip');
});

test.each([
  ['SFT', createCompletionReader, { prompt: 'q', answer: 'a' }],
  ['DPO', createPreferenceReader, { prompt: 'q', chosen: 'a', rejected: 'b' }],
] as const)('a chat template that refuses all messages is told with the first row (%s)', (_, create, columns) => {
  const refusing = {
    ...tokenizer,
    applyChatTemplate: () => {
      throw new ModelError('invalid_tokenizer', 'the chat template refused the messages: no');
    },
  };
  expect(() => create(refusing, 64).check(row(columns))).toThrow('f:3: the chat template refused the messages: no');
});
