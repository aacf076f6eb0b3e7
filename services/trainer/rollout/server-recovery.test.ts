import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { InferenceError, type InferenceErrorKind } from './inference-error.ts';
import { createInferenceServer } from './inference-server.ts';
import type { Completion, CompletionRequest, PublishedPolicy, VllmClient } from './vllm-client.ts';

const never = new AbortController().signal;
const request = { prompt: [1, 2], n: 1, maxTokens: 4, temperature: 1, seed: 7, stopTokenIds: [0] };
const policy = (version: number): PublishedPolicy => ({
  ...{ kind: 'adapter', version, name: `run-x-a1-v${version}`, path: `/adapters/run-x-a1-v${version}` },
});
const done: Completion = { tokens: [5, 0], logprobs: [-1, -1], finishReason: 'stop' };
const fault = (kind: InferenceErrorKind, retryAfterMs?: number) =>
  new InferenceError(kind, `it is ${kind}`, { retryAfterMs: retryAfterMs ?? null });

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** A server whose completions fail by these errors before they succeed; it loads everything and says that it is healthy. */
function open(
  given: {
    faults?: InferenceError[];
    patienceSeconds?: number;
    now?: () => number;
    loading?: (name: string) => Promise<void>;
  } = {},
) {
  const faults = [...(given.faults ?? [])];
  const asked: CompletionRequest[] = [];
  const loaded: string[] = [];
  const told: string[] = [];
  const client = {
    async completions(each: CompletionRequest) {
      asked.push(each);
      const error = faults.shift();
      if (error) throw error;
      return [done];
    },
    async load({ name }: PublishedPolicy) {
      loaded.push(name);
      await given.loading?.(name);
    },
    healthy: async () => true,
  } as unknown as VllmClient;
  const server = createInferenceServer({
    ...{ client, patienceSeconds: given.patienceSeconds ?? 100, relocate: async () => undefined },
    onRecovery: (message) => void told.push(message),
    ...(given.now && { now: given.now }),
    wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
  server.route(policy(3), null);
  return { server, asked, loaded, told, faults };
}

test('a request whose answer was lost is asked again as it was, under an id of its own, and only one answer is used', async () => {
  const { server, asked, told } = open({ faults: [fault('unreachable'), fault('garbled')] });
  const completed = server.complete(request, never);
  await vi.advanceTimersByTimeAsync(1000);
  expect((await completed).completions).toEqual([done]);
  expect(asked.map(({ id }) => id)).toEqual([1, 2, 3].map((tries) => `tandem-run-x-a1-v3-1-${tries}`));
  expect(new Set(asked.map(({ id: _, ...same }) => JSON.stringify(same))).size).toBe(1);
  expect(told).toEqual([
    'The inference server has to be found again (retry 1): it is unreachable',
    'The inference server has to be found again (retry 2): it is garbled',
  ]);
});

test.each<[InferenceErrorKind, number, string]>([
  ['unreachable', 5, 'inference_failed'],
  ['unknown_model', 5, 'inference_failed'],
  ['garbled', 3, 'inference_failed'],
  ['timeout', 2, 'vllm_unhealthy'],
  ['stuck', 2, 'vllm_unhealthy'],
  ['refused', 1, 'inference_failed'],
  ['not_numbers', 1, 'nan_loss'],
])('a server that is always %s ends the run after %i tries', async (kind, tries, reason) => {
  const { server, asked } = open({ faults: Array.from({ length: 9 }, () => fault(kind)) });
  const failed = expect(server.complete(request, never)).rejects.toMatchObject({ reason });
  await vi.advanceTimersByTimeAsync(60_000);
  await failed;
  expect(asked).toHaveLength(tries);
});

test('a busy server is asked again when it wants to be, once for all that wait; it is not looked for', async () => {
  const { server, asked, loaded, told } = open({ faults: [fault('busy', 7000), fault('busy', 7000)] });
  const both = Promise.all([server.complete(request, never), server.complete(request, never)]);
  await vi.advanceTimersByTimeAsync(6900);
  expect(asked).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(200);
  await both;
  expect(asked).toHaveLength(4);
  expect(loaded).toEqual([]);
  expect(told).toEqual([expect.stringContaining('is busy and is asked again in 7 s')]);
});

test('a server that stays too busy for any call ends the run', async () => {
  const { server } = open({ faults: Array.from({ length: 99 }, () => fault('busy')), patienceSeconds: 60 });
  const failed = expect(server.complete(request, never)).rejects.toMatchObject({
    reason: 'inference_failed',
    message: expect.stringContaining('too busy for any completion for 60 s'),
    remedy: expect.stringContaining('rollout.concurrency'),
  });
  await vi.advanceTimersByTimeAsync(200_000);
  await failed;
});

test('a server that does other things but is too busy for completions ends the run too', async () => {
  const { server } = open({ faults: Array.from({ length: 99 }, () => fault('busy')), patienceSeconds: 60 });
  const failed = expect(server.complete(request, never)).rejects.toThrow('too busy for any completion for 60 s');
  for (let seconds = 0; seconds < 200; seconds += 5) {
    await server.call((client) => client.healthy(never), never);
    await vi.advanceTimersByTimeAsync(5000);
  }
  await failed;
});

test('a server that was too busy for something else has all its time for completions', async () => {
  const { server } = open({ faults: [fault('busy', 40_000)], patienceSeconds: 60 });
  const busy = vi.fn().mockRejectedValueOnce(fault('busy', 40_000)).mockRejectedValueOnce(fault('busy', 40_000));
  const other = server.call(busy, never);
  await vi.advanceTimersByTimeAsync(50_000);
  const completed = server.complete(request, never);
  await vi.advanceTimersByTimeAsync(100_000);
  expect((await completed).completions).toEqual([done]);
  await other;
});

test('an episode keeps its policy while another is routed to, and a server that was restarted gets both', async () => {
  const { server, asked, loaded, faults } = open();
  await server.episode(async (episode) => {
    await episode.complete(request, never);
    server.route(policy(4), null);
    await server.complete(request, never);
    faults.push(fault('unknown_model'));
    const again = episode.complete(request, never);
    await vi.advanceTimersByTimeAsync(1000);
    await again;
    const drained = vi.fn();
    void server.drained(policy(3), never).then(drained);
    await new Promise((later) => setImmediate(later));
    expect(drained).not.toHaveBeenCalled();
  });
  await server.drained(policy(3), never);
  expect(asked.map(({ model }) => model.at(-1))).toEqual(['3', '4', '3', '3']);
  expect(loaded).toEqual(['run-x-a1-v4', 'run-x-a1-v3']);
});

test('a server is asked now and then whether it still computes the policy', async () => {
  let now = 0;
  const { server } = open({ now: () => now });
  const verify = vi.fn(async () => undefined);
  server.route(policy(3), verify);
  await server.complete(request, never);
  expect(verify).not.toHaveBeenCalled();
  now += 11 * 60_000;
  await Promise.all([server.complete(request, never), server.complete(request, never)]);
  expect(verify).toHaveBeenCalledTimes(1);
  now += 11 * 60_000;
  verify.mockRejectedValueOnce(new Error('it serves the base'));
  await expect(server.complete(request, never)).rejects.toThrow('it serves the base');
});

test('what a server that was restarted gets again is not taken away before it has all of it', async () => {
  let goOn: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const { server, loaded, faults } = open({ loading: (name) => (name.endsWith('v4') ? held : Promise.resolve()) });
  const drained = vi.fn();
  await server.episode(async () => {
    server.route(policy(4), null);
    faults.push(fault('unreachable'));
    void server.complete(request, never);
    await vi.advanceTimersByTimeAsync(1000);
    expect(loaded).toEqual(['run-x-a1-v4']);
  });
  void server.drained(policy(3), never).then(drained);
  await vi.advanceTimersByTimeAsync(1000);
  expect(drained).not.toHaveBeenCalled();
  goOn();
  await vi.advanceTimersByTimeAsync(1000);
  expect(loaded).toEqual(['run-x-a1-v4', 'run-x-a1-v3']);
  expect(drained).toHaveBeenCalledTimes(1);
});

test.each(['now and then', 'after a restart'])('a policy is in use while it is checked %s', async (when) => {
  let now = 0;
  const { server, faults } = open({ now: () => now });
  let checked: () => void = () => undefined;
  const checking = new Promise<void>((resolve) => {
    checked = resolve;
  });
  server.route(policy(3), () => checking);
  if (when === 'now and then') now += 11 * 60_000;
  else faults.push(fault('unreachable'));
  const completed = server.complete(request, never);
  await vi.advanceTimersByTimeAsync(1000);
  server.route(policy(4), null);
  const drained = vi.fn();
  void server.drained(policy(3), never).then(drained);
  await vi.advanceTimersByTimeAsync(1000);
  expect(drained).not.toHaveBeenCalled();
  checked();
  await vi.advanceTimersByTimeAsync(1000);
  expect((await completed).policy.version).toBe(4);
  expect(drained).toHaveBeenCalledTimes(1);
});
