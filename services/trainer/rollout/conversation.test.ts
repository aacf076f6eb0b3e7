import { expect, test } from 'vitest';
import { createConversation } from './conversation.ts';
import type { Episode, ServerRequest } from './inference-server.ts';

const never = new AbortController().signal;

/** An episode whose turns are [50, 51, ...] of the length that is asked for, at most 3. */
function open(contextLength = 100) {
  const asked: ServerRequest[] = [];
  const episode: Episode = {
    policy: { kind: 'adapter', version: 1, name: 'p', path: '/p' },
    async complete(request) {
      asked.push(request);
      const tokens = [50, 51, 52].slice(0, request.maxTokens);
      return [{ tokens, logprobs: tokens.map(() => -1), finishReason: 'length' }];
    },
  };
  const sampling = { seed: 7, temperature: 1, maxTokens: 3, stopTokenIds: [0] };
  return { asked, conversation: createConversation({ episode, prompt: [1, 2], contextLength, ...sampling }) };
}

test('each prompt begins with the prompt and the completion before it, token for token', async () => {
  const { asked, conversation } = open();
  expect(await conversation.draw(never)).toEqual({
    ...{ start: 2, tokens: [50, 51, 52], logprobs: [-1, -1, -1], finishReason: 'length' },
  });
  conversation.add([8, 9]);
  expect((await conversation.draw(never))?.start).toBe(7);
  await conversation.draw(never);
  expect(asked.map(({ prompt }) => prompt)).toEqual([
    [1, 2],
    [1, 2, 50, 51, 52, 8, 9],
    [1, 2, 50, 51, 52, 8, 9, 50, 51, 52],
  ]);
  expect(conversation.tokens()).toEqual([1, 2, 50, 51, 52, 8, 9, 50, 51, 52, 50, 51, 52]);
});

test('turns have seeds of their own, the same each time', async () => {
  const seeds = async () => {
    const { asked, conversation } = open();
    for (let turn = 0; turn < 3; turn++) await conversation.draw(never);
    return asked.map(({ seed }) => seed);
  };
  expect(new Set(await seeds()).size).toBe(3);
  expect(await seeds()).toEqual(await seeds());
});

test('the last turn takes what room there is, and then there is none', async () => {
  const { asked, conversation } = open(7);
  expect((await conversation.draw(never))?.tokens).toHaveLength(3);
  expect((await conversation.draw(never))?.tokens).toHaveLength(2);
  expect(await conversation.draw(never)).toBeNull();
  expect(asked).toHaveLength(2);
});
