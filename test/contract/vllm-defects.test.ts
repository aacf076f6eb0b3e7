import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TINY_VOCAB_SIZE } from '../../services/model/tiny-tokenizer.ts';
import { createInferenceServer, type InferenceServer } from '../../services/trainer/rollout/inference-server.ts';
import { createRetryMeter } from '../../services/trainer/rollout/retry-meter.ts';
import { createVllmClient } from '../../services/trainer/rollout/vllm-client.ts';
import { type Faults, type FrontFault, type Garbled, noFaults } from '../support/fake-vllm/faults.ts';
import { startTinyFake, type TinyFake } from '../support/fake-vllm/tiny-fake.ts';

const never = new AbortController().signal;
const request = { prompt: [40, 41, 42], n: 2, maxTokens: 4, temperature: 1, seed: 9, stopTokenIds: [0] };

let fake: TinyFake;
let truth: unknown;
const waits: number[] = [];
const told: string[] = [];

beforeAll(async () => {
  fake = await startTinyFake({ profile: 'split-2' });
  const path = await fake.writeAdapter('v1', 1);
  policy = { kind: 'adapter', version: 1, name: 'run-x-a1-v1', path };
  await open().call((client) => client.load(policy, never), never);
  truth = (await open().complete(request, never)).completions;
});
afterAll(() => fake.close());
afterEach(() => {
  Object.assign(fake.faults, noFaults);
  for (const list of [waits, told]) list.splice(0);
});

let policy: Parameters<InferenceServer['route']>[0];

function open(timeoutSeconds = 10): InferenceServer {
  const url = () => `${fake.origin}/v1`;
  const server = createInferenceServer({
    client: createVllmClient({
      url,
      timeoutSeconds,
      vocabSize: TINY_VOCAB_SIZE,
      onSlow: (line) => void told.push(line),
    }),
    ...{ relocate: async () => undefined, patienceSeconds: 5, onRecovery: (line) => void told.push(line) },
    wait: async (ms) => void waits.push(ms),
  });
  server.route(policy, null);
  return server;
}

/** With the fault for the next `times` requests. */
async function completeUnder(faults: Partial<Faults>, timeoutSeconds?: number): Promise<unknown> {
  Object.assign(fake.faults, faults);
  const { completions } = await open(timeoutSeconds).complete(request, never);
  return completions;
}

describe('what comes in place of an answer', () => {
  it.each<[FrontFault, string]>([
    ['a page', 'no JSON: a page of HTML (Welcome to the proxy)'],
    ['a page with 502', 'answered 502 to v1/completions: a page of HTML'],
    ['503', 'answered 503'],
    ['half a body', 'an answer that is cut off'],
    ['a body that breaks off', 'cannot be reached'],
    ['an endless body', 'which no answer to it can have'],
  ])('%s, twice, is survived with the completions of a request that is asked once', async (front, message) => {
    expect(await completeUnder({ front, times: 2 })).toEqual(truth);
    expect(told).toEqual([expect.stringContaining(message), expect.stringContaining(message)]);
  });

  it('a kept connection that is reset is made anew, and a new one that is reset is tried again', async () => {
    expect(await completeUnder({ front: 'a reset', times: 2 })).toEqual(truth);
    expect(told).toEqual([expect.stringContaining('cannot be reached (ECONNRESET)')]);
  });

  it('429 is waited out for as long as the server says, and the server is not looked for', async () => {
    const asked = fake.calls.length;
    expect(await completeUnder({ front: '429', times: 2 })).toEqual(truth);
    expect(waits).toEqual([1000, 1000]);
    expect(fake.calls.slice(asked)).toEqual(Array(3).fill('POST /v1/completions'));
  });

  it('each call that is made again is counted since it was asked last, by what it met', async () => {
    const server = open(0.4);
    const retries = createRetryMeter(server);
    for (const faults of [
      { front: 'a page', times: 2 },
      { front: '429', times: 3 },
      { front: '503', times: 1 },
      { front: 'silence', times: 1 },
    ] as const) {
      Object.assign(fake.faults, faults);
      expect((await server.complete(request, never)).completions).toEqual(truth);
    }
    expect(retries()).toEqual({
      'perf/inference_retries': 7,
      ...{ 'perf/inference_retries_garbled': 2, 'perf/inference_retries_busy': 3 },
      'perf/inference_retries_unreachable': 2,
    });
    await server.complete(request, never);
    expect(retries()).toEqual({ 'perf/inference_retries': 0 });
  });

  it.each<[FrontFault, string, string]>([
    ['a page', 'inference_failed', 'inference.vllm.api_base'],
    ['503', 'inference_failed', 'check its /health'],
  ])('%s that stays ends the run with a remedy', async (front, reason, remedy) => {
    await expect(completeUnder({ front })).rejects.toMatchObject({ reason, remedy: expect.stringContaining(remedy) });
  });

  it('silence of a server without work is a request that was lost: it is asked again', async () => {
    expect(await completeUnder({ front: 'silence', times: 1 }, 0.4)).toEqual(truth);
    expect(told).toEqual([expect.stringContaining('the request was lost')]);
  });

  it('silence of a server that says nothing of its work either ends the run as unhealthy after two time limits', async () => {
    await expect(completeUnder({ front: 'silence', hangsAt: '/metrics' }, 0.1)).rejects.toMatchObject({
      ...{ reason: 'vllm_unhealthy', remedy: expect.stringContaining('inference.vllm.timeout') },
    });
  });

  it('a server that has work and gets nothing done is stuck: it ends the run as unhealthy, long before anybody else would', async () => {
    await expect(completeUnder({ stuck: true }, 0.2)).rejects.toMatchObject({
      reason: 'vllm_unhealthy',
      message: expect.stringContaining(
        'is stuck: it answers, but has 1 requests running and 0 waiting, and none got on for 0.2 s',
      ),
    });
  });

  it('completions that take longer than the time limit are waited for while tokens come, which is said once', async () => {
    expect(await completeUnder({ slowMs: 1000 }, 0.5)).toEqual(truth);
    const slow = /is slow, not stuck: 1 requests under way, .* tokens\/s, at most \d+ s to go/;
    expect(told).toEqual([expect.stringMatching(slow)]);
  });

  it('a dead engine is waited for until its health is back', async () => {
    setTimeout(() => Object.assign(fake.faults, noFaults), 30);
    expect(await completeUnder({ front: '503', dead: true })).toEqual(truth);
  });

  it('a slow drip is one answer', async () => {
    expect(await completeUnder({ front: 'a slow drip', times: 1 })).toEqual(truth);
    expect(told).toEqual([]);
  });
});

describe('an answer that is none to the request', () => {
  it.each<Garbled>([
    'an aborted choice',
    'another request',
  ])('%s is thrown away whole and asked for again', async (garbles) => {
    expect(await completeUnder({ garbles, times: 1 })).toEqual(truth);
    expect(told).toHaveLength(1);
  });

  it('in swapped order is put in order', async () => {
    expect(await completeUnder({ garbles: 'swapped order' })).toEqual(truth);
    expect(told).toEqual([]);
  });

  it.each<[Garbled, string]>([
    ['too few choices', 'asked for 2 completions, got indices 0'],
    ['a choice twice', 'got indices 0,0'],
    ['logprobs -9999', 'unusable logprobs'],
    ['a positive logprob', 'unusable logprobs'],
    ['fewer logprobs', 'unusable logprobs'],
    ['tokens beyond the vocabulary', 'it serves another model'],
    ['too many tokens', 'of 1 to 4'],
    ['another prompt', 'the prompt that was read is not the one that was sent'],
    ['another model', 'somebody-else answered'],
  ])('%s ends the run at once', async (garbles, message) => {
    const failed = { reason: 'inference_failed', message: expect.stringContaining(message) };
    await expect(completeUnder({ garbles })).rejects.toMatchObject(failed);
    expect(told).toEqual([]);
  });

  it('null for logprobs tells of weights that are no numbers', async () => {
    await expect(completeUnder({ garbles: 'logprobs null' })).rejects.toMatchObject({ reason: 'nan_loss' });
  });
});

describe('an adapter', () => {
  it('that is said to be loaded and is not known afterwards ends the run', async () => {
    fake.faults.halfLoads = true;
    const server = open();
    const half = { ...policy, name: 'run-x-a1-half' };
    await server.call((client) => client.load(half, never), never);
    server.route(half, null);
    await expect(server.complete(request, never)).rejects.toThrow('The model `run-x-a1-half` does not exist');
  });

  it('whose name is taken by other weights is not taken for the one that was asked for', async () => {
    const server = open();
    const other = { ...policy, path: await fake.writeAdapter('v2', 2) };
    server.route(other, null);
    await server.call((client) => client.unload(policy, never), never);
    await server.call((client) => client.load(policy, never), never);
    Object.assign(fake.faults, { front: '503', times: 1 });
    await expect(server.complete(request, never)).rejects.toThrow(/serves .*v1 under the name run-x-a1-v1, not .*v2/);
  });
});
