import { expect, test } from 'vitest';
import { type RewardSpec, rewardSchema } from '../../../contracts/run-spec/reward.ts';
import type { PromptExample } from '../../data/readers/prompt-reader.ts';
import { boxedReward, lastBoxed } from './boxed.ts';
import { exactReward } from './exact.ts';
import { createJsonSchemaReward } from './json-schema.ts';
import { lengthReward } from './length.ts';
import { lastNumber, numericReward } from './numeric.ts';
import { createRegexReward } from './regex.ts';
import { needsAnswer, openReward } from './reward.ts';

const never = new AbortController().signal;
const task: PromptExample = {
  id: 't1',
  prompt: [1],
  messages: 1,
  source: '42+43=',
  answer: '85',
  columns: { level: 2 },
};
const texts = (...all: string[]) => all.map((text) => ({ text, tokens: [...text].map(Number) }));
const spec = (...rewards: unknown[]): RewardSpec[] => rewards.map((reward) => rewardSchema.parse(reward));

test('exact compares the text without white space around it', () => {
  expect(exactReward(' 85\n', '85')).toBe(1);
  expect(exactReward('85.', '85')).toBe(0);
});

test.each([
  ['The sum is 85.', '85', 1],
  ['38 + 47 = 85', '#### 85', 1],
  ['1,234', '1234', 1],
  ['-3.50', '-3.5', 1],
  ['8.5e1', '85', 1],
  ['.5', '0.5', 1],
  ['85 or 86', '85', 0],
  ['eighty-five', '85', 0],
  ['12,34', '1234', 0],
])('numeric: %j against %j gives %d', (completion, answer, reward) => {
  expect(numericReward(completion, answer)).toBe(reward);
});

test('the last number of a text counts', () => {
  expect(lastNumber('a 1 b 2,000 c')).toBe(2000);
  expect(lastNumber('none')).toBeNull();
});

test.each([
  ['so \\boxed{18}', '18', 1],
  ['so \\boxed{18}', 'She makes <<9*2=18>>18.\n#### 18', 1],
  ['\\boxed{17} no, \\boxed{18.0}', '\\boxed{18}', 1],
  ['\\boxed{\\frac{1}{2}}', '0.5', 1],
  ['\\boxed{-\\dfrac{3}{4}}', '-3/4', 1],
  ['\\boxed{\\$1,234}', '1234', 1],
  ['\\boxed{50\\%}', '50', 1],
  ['\\boxed{\\left(x+1\\right)^{2}}', '(x + 1)^{2}', 1],
  ['\\boxed{\\text{blue} }', 'blue', 1],
  ['18', '18', 0],
  ['\\boxed{18', '18', 0],
  ['\\boxed{}', '', 0],
  ['\\boxed{18} or 19', '19', 0],
  ['\\boxed{x}', 'y', 0],
])('boxed: %j against %j gives %d', (completion, answer, reward) => {
  expect(boxedReward(completion, answer)).toBe(reward);
});

test('the braces of a box are balanced, escaped ones aside', () => {
  expect(lastBoxed('\\boxed{\\{1, \\frac{1}{2}\\}} and more }')).toBe('\\{1, \\frac{1}{2}\\}');
});

test('a pattern is searched for; anchored, it is the whole completion', () => {
  const tagged = createRegexReward({ pattern: '^<think>.*</think>\\s*<answer>.*</answer>$', flags: 's' });
  expect(tagged('<think>a\nb</think>\n<answer>85</answer>')).toBe(1);
  expect(tagged('<answer>85</answer>')).toBe(0);
  expect(createRegexReward({ pattern: 'YES', flags: 'i' })('oh yes.')).toBe(1);
});

test('a pattern that backtracks without end is given up', () => {
  const endless = createRegexReward({ pattern: '^(a+)+$', flags: '' }, 20);
  expect(() => endless(`${'a'.repeat(40)}!`)).toThrow('the pattern was not done after 0.02 s');
});

test('a completion, or its last fenced block, is JSON of a shape', () => {
  const score = createJsonSchemaReward({
    schema: { type: 'object', required: ['answer'], properties: { answer: { type: 'integer' } } },
  });
  expect(score(' {"answer": 85} ')).toBe(1);
  expect(score('I think:\n```json\n{"answer": 1.5}\n```\nno:\n```json\n{"answer": 2}\n```')).toBe(1);
  expect(['{"answer": "85"}', '{}', '85', 'nothing', '{"answer": 85'].map(score)).toEqual([0, 0, 0, 0, 0]);
});

test.each([
  ['I think: ```json\n{"answer": 2}\n  ``` so', 1],
  ['```\n\n{"answer": 2}\n\n```', 1],
  ['```x``` then\n```json\n{"answer": 2}\n```', 1],
  ['```python\nprint(2)\n```\n```json\n{"answer": 2}\n```\n```js\n2\n```', 1],
  ['```json\n{"answer": 2}\n```\n```json\n{"answer": 3', 1],
  ['```json\n{"answer": 2}', 0],
])('a fenced block is found by its lines: %j', (completion, reward) => {
  expect(createJsonSchemaReward({ schema: { type: 'object', required: ['answer'] } })(completion)).toBe(reward);
});

test('a completion can neither hold up its schema nor exhaust it', () => {
  const tree = createJsonSchemaReward({
    schema: { $ref: '#/$defs/tree', $defs: { tree: { type: 'array', items: { $ref: '#/$defs/tree' } } } },
  });
  const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
  expect([1, 100, 101, 20_000].map((depth) => tree(nested(depth)))).toEqual([1, 1, 0, 0]);
  const begun = performance.now();
  expect(tree(`\`\`\`${'\n'.repeat(4000)}`)).toBe(0);
  expect(performance.now() - begun).toBeLessThan(500);
});

test('a length scores 1 within its limits, and falls evenly outside', () => {
  const limits = { unit: 'characters', min: 4, max: 6, slack: 4 } as const;
  const scores = Array.from({ length: 12 }, (_, i) => lengthReward({ text: 'x'.repeat(i), tokens: [] }, limits));
  expect(scores).toEqual([0, 0.25, 0.5, 0.75, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]);
  const sharp = { unit: 'tokens', min: 0, max: 1, slack: 0 } as const;
  expect([1, 2].map((n) => lengthReward({ text: '', tokens: Array(n).fill(7) }, sharp))).toEqual([1, 0]);
  expect(lengthReward({ text: '😀😀', tokens: [] }, { unit: 'characters', min: 2, max: 2, slack: 0 })).toBe(1);
});

test('rewards add up by weight, each is told under a name of its own, and the highest sum is success', async () => {
  const reward = await openReward(
    spec(
      { name: 'exact' },
      { name: 'numeric', weight: 0.5 },
      { name: 'length', max: 2 },
      { name: 'length', max: 3, weight: -1 },
    ),
    [],
  );
  expect(await reward.score(task, texts('85', 'is 85', '1000'), never)).toEqual([
    { total: 1.5, success: false, parts: { exact: 1, numeric: 1, length: 1, length_2: 1 } },
    { total: 0.5, success: false, parts: { exact: 0, numeric: 1, length: 0, length_2: 0 } },
    { total: 0, success: false, parts: { exact: 0, numeric: 0, length: 0, length_2: 0 } },
  ]);
});

test('a score too large to compute with is refused, by its reward, its value and its weight', async () => {
  const reward = await openReward(spec({ name: 'length', max: 3 }, { name: 'exact', weight: 1e300 }), []);
  await expect(reward.score(task, texts('no', '85'), never)).rejects.toMatchObject({
    reason: 'reward_error',
    message: expect.stringMatching(
      /^the reward exact \(task t1, completion 2 of 2\): gave 1 \(times its weight 1e\+300\), which is too large/,
    ),
    remedy: expect.stringContaining('Scale the scores'),
  });
});

test('an answer is needed by the rewards that compare with it', () => {
  expect(needsAnswer(spec({ name: 'length', max: 2 }, { name: 'boxed' }))).toBe('the reward boxed');
  expect(needsAnswer(spec({ name: 'length', max: 2 }, { name: 'regex', pattern: 'a' }))).toBeNull();
});
