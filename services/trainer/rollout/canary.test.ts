import { expect, test } from 'vitest';
import type { Policy } from '../learner/policy.ts';
import { createCanary } from './canary.ts';
import type { VllmClient } from './vllm-client.ts';

/** A policy that gives each token of every completion this logprob; no model is behind it. */
function canaryOf(logprob: number) {
  const tokenLogprobs: unknown = ({ targets }: { targets: { length: number } }) => {
    const logprobs = new Float32Array(targets.length).fill(logprob);
    return { logprobs: { dataSync: () => logprobs } };
  };
  const policy = { tokenLogprobs } as unknown as Policy;
  return createCanary({ policy, tokens: [1, 2, 3], temperature: 1, maxNewTokens: 4 });
}

test('a policy that computes NaN is not put before a server: the model itself before the first update, training after it', () => {
  expect(() => canaryOf(Number.NaN).expect(0)).toThrow(
    expect.objectContaining({
      reason: 'nan_loss',
      message: expect.stringContaining("The model's own weights or logits are not numbers"),
      remedy: expect.not.stringContaining('checkpoint'),
    }),
  );
  expect(() => canaryOf(Number.NaN).expect(7)).toThrow(
    expect.objectContaining({
      reason: 'nan_loss',
      message: expect.stringMatching(/^Training diverged: after 7 updates/),
    }),
  );
});

test('a server is asked everything at once, as each answer of a busy one takes a while', async () => {
  const asked: string[] = [];
  let answer = () => {};
  const answering = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const question = (name: string, said: unknown) => async () => {
    asked.push(name);
    await answering;
    return said;
  };
  const drawn = { tokens: [5], logprobs: [-2], finishReason: 'length' };
  const client = {
    completions: question('completion', [drawn]),
    promptLogprobs: question('prompt', [-2, -2]),
    version: question('version', 'tandem'),
  } as unknown as VllmClient;
  const heard = canaryOf(-2).ask(client, 'v3', new AbortController().signal);
  expect(asked).toEqual(['completion', 'prompt', 'version']);
  answer();
  expect(await heard).toEqual({ prompt: [-2, -2], drawn, embedded: true });
});

test('a question that fails ends the others, as does whoever asks', async () => {
  const given: AbortSignal[] = [];
  const pending = (signal: AbortSignal) => {
    given.push(signal);
    return new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
  };
  let broken: Error | null = new Error('the server is gone');
  const client = {
    completions: (_request: unknown, signal: AbortSignal) => pending(signal),
    promptLogprobs: (_model: string, _prompt: unknown, signal: AbortSignal) => pending(signal),
    version: (signal: AbortSignal) => (broken ? Promise.reject(broken) : pending(signal)),
  } as unknown as VllmClient;
  const asking = new AbortController();
  await expect(canaryOf(-2).ask(client, 'v3', asking.signal)).rejects.toThrow('the server is gone');
  expect(given.map(({ aborted }) => aborted)).toEqual([true, true]);
  expect(asking.signal.aborted).toBe(false);
  broken = null;
  const heard = canaryOf(-2).ask(client, 'v3', asking.signal);
  asking.abort(new Error('stop'));
  await expect(heard).rejects.toThrow('stop');
});

test('logprobs lower than servers tell are compared with the lowest that they tell', () => {
  const canary = canaryOf(-1e12);
  canary.expect(3);
  const drawn = { tokens: [5], logprobs: [-9999], finishReason: 'length' };
  expect(canary.judge('v3', { prompt: [-9999, -9999], drawn, embedded: true })).toBe(0);
});

test('what a server says later is compared with what it said when it was judged, for that version alone', () => {
  const canary = canaryOf(-2);
  canary.expect(3);
  const drawn = { tokens: [5], logprobs: [-2], finishReason: 'length' };
  const heard = (logprob: number) => ({ prompt: [logprob, logprob], drawn, embedded: false });
  canary.judge('v3', heard(-2.05));
  expect(() => canary.recall('v3', heard(-2.1))).not.toThrow();
  expect(() => canary.recall('v3', heard(-2.5))).toThrow(/for v3: .* differ by 0\.4500 .* from what it said before/);
  expect(() => canary.recall('v2', heard(-9))).not.toThrow();
});
