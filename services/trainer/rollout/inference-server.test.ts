import http, { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { createInferenceServer, type InferenceServer, loadIfAbsent } from './inference-server.ts';
import { createVllmClient } from './vllm-client.ts';

const never = new AbortController().signal;
const request = { prompt: [1, 2], n: 2, maxTokens: 4, temperature: 1, seed: 7, stopTokenIds: [0] };
const adapter = { kind: 'adapter', version: 3, name: 'run-x-a1-v3', path: '/adapters/run-x-a1-v3' } as const;
const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** A server whose answers to completions are given; it is healthy and takes every adapter. */
async function serve(completions: (response: ServerResponse, call: number) => void, metrics = () => 'Success') {
  const seen: { path: string; body: unknown }[] = [];
  let calls = 0;
  const server = createServer((incoming, response) => {
    let text = '';
    incoming.on('data', (chunk) => {
      text += chunk;
    });
    incoming.on('end', () => {
      seen.push({ path: incoming.url ?? '', body: text === '' ? null : JSON.parse(text) });
      if (incoming.url === '/v1/completions') completions(response, ++calls);
      else response.end(incoming.url === '/metrics' ? metrics() : 'Success');
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { seen, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1` };
}

const choice = (index: number, tokens = [5, 0]) => ({
  ...{ index, text: '', finish_reason: 'stop', token_ids: tokens, prompt_token_ids: [1, 2] },
  logprobs: { token_logprobs: tokens.map(() => -0.5) },
});
const answer = (response: ServerResponse, choices: unknown[]) => response.end(JSON.stringify({ choices }));
const refuse = (response: ServerResponse, status: number, message: string) => {
  response.statusCode = status;
  response.end(JSON.stringify({ error: { message } }));
};

function open(url: () => string, timeoutSeconds = 5, relocate = async () => {}): InferenceServer {
  const client = createVllmClient({ url, timeoutSeconds });
  const server = createInferenceServer({ client, relocate, onRecovery: () => {}, patienceSeconds: 5 });
  server.route(adapter, null);
  return server;
}

test('completions come back in the order of their indices, with every sampling field said in the request', async () => {
  const { url, seen } = await serve((response) => answer(response, [choice(1, [6]), choice(0)]));
  const { completions, policy } = await open(() => url).complete(request, never);
  expect(policy).toBe(adapter);
  expect(completions.map(({ tokens }) => tokens)).toEqual([[5, 0], [6]]);
  expect(seen[0]?.body).toEqual({
    ...{ model: 'run-x-a1-v3', prompt: [[1, 2]], n: 2, max_tokens: 4, temperature: 1, top_p: 1, seed: 7 },
    ...{ top_k: -1, min_p: 0, repetition_penalty: 1, cache_salt: 'run-x-a1-v3' },
    ...{ logprobs: 0, return_token_ids: true, stop_token_ids: [0] },
  });
});

test.each([
  ['too few choices', [choice(0)]],
  ['a choice twice', [choice(0), choice(0)]],
  ['a logprob that is missing', [choice(0), { ...choice(1), logprobs: { token_logprobs: [-0.1, -9999] } }]],
  ['no token ids', [choice(0), { ...choice(1), token_ids: undefined }]],
])('an answer with %s is refused', async (_what, choices) => {
  const { url } = await serve((response) => answer(response, choices));
  await expect(open(() => url).complete(request, never)).rejects.toMatchObject({ reason: 'inference_failed' });
});

test.each<[string, (response: ServerResponse) => unknown]>([
  [
    'null for a logprob',
    (response) => answer(response, [choice(0), { ...choice(1), logprobs: { token_logprobs: [null, -1] } }]),
  ],
  ['that they are none', (response) => refuse(response, 500, 'the logprobs are no numbers (NaN)')],
  [
    'that it cannot write them',
    (response) => refuse(response, 500, 'Out of range float values are not JSON compliant'),
  ],
])('a server that answers %s tells of weights that are no numbers: the run diverged', async (_what, completions) => {
  let calls = 0;
  const { url } = await serve((response) => {
    calls += 1;
    completions(response);
  });
  await expect(open(() => url).complete(request, never)).rejects.toMatchObject({
    reason: 'nan_loss',
    message: expect.stringMatching(/^Training diverged: .*(are no numbers|not JSON compliant)/),
  });
  expect(calls).toBe(1);
});

test('an answer of another shape is told in one line, by the first field that is wrong', async () => {
  const { url } = await serve((response) => answer(response, [choice(0), { ...choice(1), token_ids: ['a', 'b'] }]));
  await expect(open(() => url).complete(request, never)).rejects.toMatchObject({
    reason: 'inference_failed',
    message: expect.stringMatching(/^Inference failed: .*: choices\.1\.token_ids\.0: .*expected number.{0,30}$/),
  });
});

test('completions under way go on while another policy is routed to, and say which one made them', async () => {
  const held: ServerResponse[] = [];
  const { url, seen } = await serve((response, call) => {
    if (call === 1) held.push(response);
    else answer(response, [choice(0), choice(1)]);
  });
  const server = open(() => url);
  const older = server.complete(request, never);
  await vi.waitFor(() => expect(held).toHaveLength(1));
  server.route({ ...adapter, version: 4, name: 'run-x-a1-v4' }, null);
  expect((await server.complete(request, never)).policy.version).toBe(4);
  answer(held[0]!, [choice(0), choice(1)]);
  expect((await older).policy.version).toBe(3);
  expect(seen.map(({ body }) => (body as { model: string }).model)).toEqual(['run-x-a1-v3', 'run-x-a1-v4']);
});

test('a server that has forgotten the policy gets it again, once for all that ask', async () => {
  let loaded = false;
  const { url, seen } = await serve((response) => {
    loaded ||= seen.some(({ path }) => path === '/v1/load_lora_adapter');
    if (loaded) answer(response, [choice(0), choice(1)]);
    else refuse(response, 404, 'The model `run-x-a1-v3` does not exist.');
  });
  const server = open(() => url);
  const asked = await Promise.all(Array.from({ length: 8 }, () => server.complete(request, never)));
  expect(asked).toHaveLength(8);
  const loads = seen.filter(({ path }) => path === '/v1/load_lora_adapter');
  expect(loads.map(({ body }) => body)).toEqual([{ lora_name: adapter.name, lora_path: adapter.path }]);
});

test('a server that is restarted between loading a new policy and checking it gets that policy again', async () => {
  const next = { ...adapter, version: 4, name: 'run-x-a1-v4', path: '/adapters/run-x-a1-v4' };
  const { url, seen } = await serve((response, call) => {
    if (call === 1) return refuse(response, 404, 'The model `run-x-a1-v4` does not exist.');
    return answer(response, [{ ...choice(0), prompt_logprobs: [null, { 2: { logprob: -0.25 } }] }]);
  });
  const logprobs = await open(() => url).call(async (client) => {
    await loadIfAbsent(client, next, never);
    return client.promptLogprobs(next.name, [1, 2], never);
  }, never);
  expect(logprobs).toEqual([-0.25]);
  const loads = seen.filter(({ path }) => path === '/v1/load_lora_adapter').map(({ body }) => body);
  expect(loads.filter((body) => (body as { lora_name: string }).lora_name === next.name)).toHaveLength(2);
});

test('a server that is gone is looked for where the control plane says it is', async () => {
  const { url } = await serve((response) => answer(response, [choice(0), choice(1)]));
  let current = 'http://127.0.0.1:9/v1';
  const server = open(
    () => current,
    5,
    async () => {
      current = url;
    },
  );
  expect((await server.complete(request, never)).completions).toHaveLength(2);
});

test('a server that never answers in time ends the run with the setting to raise', async () => {
  const { url } = await serve(() => {});
  await expect(open(() => url, 0.05).complete(request, never)).rejects.toMatchObject({
    reason: 'vllm_unhealthy',
    remedy: expect.stringContaining('inference.vllm.timeout'),
  });
});

test('the check of a policy, too, is waited for while the server gets on with what it has before it', async () => {
  let drawn = 0;
  const { url } = await serve(
    (response) =>
      void setTimeout(() => answer(response, [{ ...choice(0), prompt_logprobs: [null, { 2: { logprob: -1 } }] }]), 600),
    () => `vllm:num_requests_running 1\nvllm:num_requests_waiting 1\nvllm:generation_tokens_total ${++drawn}\n`,
  );
  const client = createVllmClient({ url: () => url, timeoutSeconds: 0.3 });
  expect(await client.promptLogprobs(adapter.name, [1, 2], never)).toEqual([-1]);
});

test('probes and loads do not wait for connections behind completions', async () => {
  const held: ServerResponse[] = [];
  const requested = vi.spyOn(http, 'request');
  const { url } = await serve((response) => void held.push(response));
  const client = createVllmClient({ url: () => url, timeoutSeconds: 60 });
  const stop = new AbortController();
  const ask = () => client.completions({ ...request, model: adapter.name }, stop.signal).catch(() => 'given up');
  const asked = [ask()];
  const agent = requested.mock.lastCall?.[1].agent as http.Agent;
  const { maxSockets } = agent;
  agent.maxSockets = 1;
  try {
    asked.push(ask());
    await vi.waitFor(() => expect(held).toHaveLength(1));
    expect(await client.healthy(never)).toBe(true);
    await client.load(adapter, never);
    expect(held).toHaveLength(1);
  } finally {
    stop.abort();
    agent.maxSockets = maxSockets;
    requested.mockRestore();
  }
  expect(await Promise.all(asked)).toEqual(['given up', 'given up']);
});

test('a request that the server finds wrong is not repeated', async () => {
  let calls = 0;
  const { url } = await serve((response) => {
    calls += 1;
    refuse(response, 400, 'the prompt is too long');
  });
  await expect(open(() => url).complete(request, never)).rejects.toThrow('the prompt is too long');
  expect(calls).toBe(1);
});

test('stopping ends the wait at once', async () => {
  const { url } = await serve(() => {});
  const stop = new AbortController();
  const waiting = open(() => url).complete(request, stop.signal);
  setTimeout(() => stop.abort(new Error('stop')), 20);
  await expect(waiting).rejects.toThrow('stop');
});
