import { expect, test } from 'vitest';
import { readCompletions, readPromptLogprobs } from './vllm-answers.ts';

const request = {
  ...{ model: 'run-x-a1-v3', prompt: [1, 2], n: 2, maxTokens: 3, temperature: 1, seed: 7, stopTokenIds: [0] },
  id: 'tandem-run-x-a1-v3-1-1',
};
const choice = (index: number, tokens = [5, 0], more: object = {}) => ({
  ...{ index, text: '', finish_reason: 'stop', token_ids: tokens, prompt_token_ids: [1, 2] },
  logprobs: { token_logprobs: tokens.map(() => -0.5) },
  ...more,
});
const logprobs = (...values: (number | null)[]) => ({ logprobs: { token_logprobs: values } });
const text = (choices: unknown[], more: object = {}) => JSON.stringify({ ...more, choices });
const read = (choices: unknown[], more?: object) => readCompletions(request, text(choices, more), 100);

test('completions come in the order of their indices, as they were drawn', () => {
  const answer = read([choice(1, [6, 7, 8], { finish_reason: 'length' }), choice(0)], {
    id: `cmpl-${request.id}`,
    model: request.model,
  });
  expect(answer).toEqual([
    { tokens: [5, 0], logprobs: [-0.5, -0.5], finishReason: 'stop' },
    { tokens: [6, 7, 8], logprobs: [-0.5, -0.5, -0.5], finishReason: 'length' },
  ]);
});

test('a logprob that rounding lifted above 0 is one', () => {
  expect(read([choice(0, [5, 0], logprobs(1e-6, 0)), choice(1)])[0]?.logprobs).toEqual([1e-6, 0]);
});

test.each<[string, unknown[], string, object?]>([
  ['too few choices', [choice(0)], 'asked for 2 completions, got indices 0'],
  ['a choice twice', [choice(0), choice(0)], 'got indices 0,0'],
  ['no token ids', [choice(0), { ...choice(1), token_ids: undefined }], 'choices.1.token_ids'],
  ['a token that is no number', [choice(0, ['a'] as never), choice(1)], 'choices.0.token_ids.0'],
  ['another prompt', [choice(0, [5, 0], { prompt_token_ids: [1, 3] }), choice(1)], 'the prompt that was read'],
  ['a prompt that was cut', [choice(0, [5, 0], { prompt_token_ids: [2] }), choice(1)], '(1 tokens of 2)'],
  ['no tokens', [choice(0, []), choice(1)], 'a completion of 0 tokens, of 1 to 3'],
  ['too many tokens', [choice(0, [5, 6, 7, 8]), choice(1)], 'a completion of 4 tokens, of 1 to 3'],
  ['a token beyond the vocabulary', [choice(0, [5, 100]), choice(1)], 'token 100 is beyond the vocabulary of 100'],
  ['tokens after a stop token', [choice(0, [0, 5]), choice(1)], 'goes on after its stop token'],
  ['another end', [choice(0, [5], { finish_reason: 'error' }), choice(1)], 'a completion ended by error'],
  ['no end', [choice(0, [5], { finish_reason: null }), choice(1)], 'a completion ended by null'],
  [
    'a logprob that vLLM does not have',
    [choice(0, [5, 0], logprobs(-0.1, -9999)), choice(1)],
    'unusable logprobs (-9999)',
  ],
  ['a logprob above 0', [choice(0, [5, 0], logprobs(-0.1, 0.5)), choice(1)], 'unusable logprobs (0.5)'],
  ['fewer logprobs than tokens', [choice(0, [5, 0], logprobs(-0.1)), choice(1)], 'unusable logprobs (1 of them)'],
  ['another model', [choice(0), choice(1)], 'asked run-x-a1-v3, and base answered', { model: 'base' }],
])('an answer with %s is refused', (_what, choices, message, more = {}) => {
  expect(() => read(choices, more)).toThrow(
    expect.objectContaining({ kind: 'refused', message: expect.stringContaining(message) }),
  );
});

test.each([
  ['is cut off', text([choice(0), choice(1)]).slice(0, -20), 'an answer that is cut off: {"choices"'],
  ['is a page', '<!doctype html><html><head><title>Sign in</title>', 'no JSON: a page of HTML (Sign in), as a proxy'],
  ['is empty', '', 'no JSON: '],
  [
    'belongs to another request',
    text([choice(0), choice(1)], { id: 'cmpl-tandem-run-x-a1-v3-1-10' }),
    'asked as tandem-run-x-a1-v3-1-1, got the answer to cmpl-tandem-run-x-a1-v3-1-10',
  ],
])('an answer that %s may be another the next time', (_what, answer, message) => {
  expect(() => readCompletions(request, answer)).toThrow(
    expect.objectContaining({ kind: 'garbled', message: expect.stringContaining(message) }),
  );
});

test('a server that names its answers itself is believed', () => {
  expect(read([choice(0), choice(1)], { id: 'cmpl-5a1c' })).toHaveLength(2);
});

test('of an answer in which one completion was given up nothing is used', () => {
  const cut = choice(1, [5], { finish_reason: 'abort' });
  expect(() => read([choice(0), cut])).toThrow(expect.objectContaining({ kind: 'unreachable' }));
});

test('null among the logprobs tells of weights that are no numbers', () => {
  expect(() => read([choice(0, [5, 0], logprobs(null, -1)), choice(1)])).toThrow(
    expect.objectContaining({ kind: 'not_numbers' }),
  );
});

test.each<[unknown, string]>([
  [[null, { 2: { logprob: -0.25 } }], '2 logprobs for a prompt of 3 tokens'],
  [[null, { 2: { logprob: -0.25 } }, { 9: { logprob: -1 } }], 'no logprob for token 3'],
])('logprobs of another prompt are refused: %j', (positions, message) => {
  const answer = JSON.stringify({ choices: [{ prompt_logprobs: positions }] });
  expect(() => readPromptLogprobs('m', [1, 2, 3], answer)).toThrow(message);
});
