import { expect, it } from 'vitest';
import { requireNumbers } from './completion-logprobs.ts';

const at = (logprob: number) => [[{ token: 5, logprob, rank: 1 }]];
const generation = (drawn: number, prompt: number) => ({
  choices: [{ tokens: [5], logprobs: at(drawn), text: '', finish: null }],
  promptLogprobs: [null, ...at(prompt)],
  cachedTokens: 0,
});

it('logprobs of a model that computes NaN are refused with the cause, drawn or of the prompt', () => {
  for (const broken of [generation(Number.NaN, -1), generation(-1, Number.NaN)]) {
    expect(() => requireNumbers([generation(-1, -1), broken])).toThrow('the logprobs are no numbers (NaN)');
  }
  requireNumbers([generation(-1, Number.NEGATIVE_INFINITY)]);
});
