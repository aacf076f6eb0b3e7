import { expect, it } from 'vitest';
import { loadTokenizer } from '../../model/tokenizer.ts';
import { ofTinyModel } from '../testing/tiny-engine.ts';
import { createDetokenizer } from './detokenizer.ts';

it('gives the text of the whole, character by character, when characters are split over tokens', async () => {
  const tokenizer = await ofTinyModel(loadTokenizer);
  const text = 'naïve 東京 👩‍🚀 ok';
  const detokenizer = createDetokenizer((tokens) => tokenizer.decode(tokens));
  const pieces = tokenizer.encode(text).map((token) => detokenizer.push(token));
  expect(pieces.join('')).toBe(text);
  expect(pieces.join('')).not.toContain('\uFFFD');
  expect(pieces.filter((piece) => piece === '').length).toBeGreaterThan(5);
  expect([detokenizer.text, detokenizer.flush()]).toEqual([text, '']);
});

it('gives an incomplete character as U+FFFD at the end', async () => {
  const tokenizer = await ofTinyModel(loadTokenizer);
  const detokenizer = createDetokenizer((tokens) => tokenizer.decode(tokens));
  for (const token of tokenizer.encode('a東').slice(0, -1)) detokenizer.push(token);
  expect(detokenizer.text).toBe('a');
  expect(detokenizer.flush()).toContain('\uFFFD');
});
