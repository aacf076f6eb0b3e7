import { expect, test } from 'vitest';
import { createModelInspection } from './served-models.ts';
import type { ModelCard, VllmClient } from './vllm-client.ts';

const never = new AbortController().signal;
const base: ModelCard = { id: 'run-x', root: '/models/qwen', parent: null, contextLength: 512 };
const adapter: ModelCard = { id: 'run-x-a1-v1', root: '/a/v1', parent: 'run-x', contextLength: null };

function open(maxSeqLength: number) {
  const warnings: string[] = [];
  const inspect = createModelInspection({ maxSeqLength, warn: (message) => void warnings.push(message) });
  const see = (...cards: ModelCard[]) => inspect({ models: async () => cards } as unknown as VllmClient, never);
  return { see, warnings };
}

test('a server that serves what it served is not spoken of', async () => {
  const { see, warnings } = open(512);
  await see(base);
  await see(base, adapter);
  expect(warnings).toEqual([]);
});

test('a server that came back with another model says so, as the canary will', async () => {
  const { see, warnings } = open(512);
  await see(base);
  await see({ ...base, root: '/models/llama' });
  expect(warnings).toEqual([
    'The server serves another model than before: run-x (/models/llama, 512 tokens), not run-x (/models/qwen, 512 tokens).',
  ]);
});

test('a context that is shorter than the sequences of the run is told once, before it is met', async () => {
  const { see, warnings } = open(1024);
  await see(base);
  await see(base);
  expect(warnings).toEqual([expect.stringContaining('Start it with --max-model-len 1024')]);
});

test('what lists no base model is no server for training', async () => {
  await expect(open(512).see()).rejects.toThrow('lists no base model');
  await expect(open(512).see(adapter)).rejects.toThrow('but run-x-a1-v1');
});
