import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { permutation } from '../model/random.ts';
import { type EmbeddedServer, startEmbeddedServer } from './testing/embedded-server.ts';

let server: EmbeddedServer;

beforeAll(async () => {
  server = await startEmbeddedServer();
});

afterAll(async () => {
  await server.close();
  expect(server.reports).toEqual([]);
});

async function post(route: string, body: unknown, to = server): Promise<{ status: number; text: string }> {
  const response = await fetch(`${to.origin}${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, text: await response.text() };
}

async function choices(body: Record<string, unknown>, to = server): Promise<unknown[]> {
  const { status, text } = await post('/v1/completions', { return_token_ids: true, ...body }, to);
  expect(status, text).toBe(200);
  return (JSON.parse(text) as { choices: unknown[] }).choices;
}

async function errorOf(route: string, body: unknown): Promise<{ status: number; message: string }> {
  const { status, text } = await post(route, body);
  return { status, message: (JSON.parse(text) as { error: { message: string } }).error.message };
}

async function loadAdapter(name: string, options?: { seed?: number; r?: number }): Promise<void> {
  const reply = await post('/v1/load_lora_adapter', {
    lora_name: name,
    lora_path: await server.writeAdapter(name, options),
  });
  expect(reply.status, reply.text).toBe(200);
}

describe('completions over HTTP', () => {
  it('are the same bytes alone and among 31 others in any order, with two adapters mixed in', async () => {
    await loadAdapter('mixed-v1', { seed: 1 });
    await loadAdapter('mixed-v2', { seed: 2 });
    const requests = Array.from({ length: 32 }, (_, i) => ({
      model: ['run-tiny', 'mixed-v1', 'mixed-v2'][i % 3],
      prompt: Array.from({ length: 1 + (i % 13) }, (_, j) => (i * 31 + j * 7) % 256),
      n: 1 + (i % 2),
      seed: 50 + i,
      temperature: [1, 0.6, 0][i % 3],
      max_tokens: 3 + (i % 20),
      logprobs: i % 2,
    }));
    const alone: unknown[] = [];
    for (const request of requests) alone.push(await choices(request));
    for (const seed of [1, 2]) {
      const together: Promise<unknown>[] = [];
      for (const index of permutation(32, seed)) {
        together[index] = choices(requests[index]!);
        if (index % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect(await Promise.all(together)).toEqual(alone);
    }
  });

  it('without a seed are different each time', async () => {
    const draw = () => choices({ prompt: [1, 2, 3], max_tokens: 12 });
    expect(await draw()).not.toEqual(await draw());
  });

  it('have logprobs of the sampled distribution: temperature counts, and a filter renormalises', async () => {
    type Drawn = { logprobs: { token_logprobs: number[] } };
    const [only] = (await choices({ prompt: [1, 2], max_tokens: 3, top_k: 1, logprobs: 0 })) as Drawn[];
    expect(only!.logprobs.token_logprobs).toEqual([0, 0, 0]);
    const best = async (temperature: number) => {
      const [drawn] = (await choices({ prompt: [1, 2], max_tokens: 1, logprobs: 1, temperature, seed: 1 })) as {
        logprobs: { top_logprobs: Record<string, number>[] };
      }[];
      return Math.max(...Object.values(drawn!.logprobs.top_logprobs[0]!));
    };
    expect(await best(0.25)).toBeGreaterThan((await best(1)) + 0.5);
  });

  it('of many prompts in one request come in order and raise no warning', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => void warnings.push(warning);
    process.on('warning', note);
    const prompts = Array.from({ length: 40 }, (_, i) => [i + 1, 2]);
    const drawn = (await choices({ prompt: prompts, max_tokens: 1 })) as { prompt_token_ids: number[] }[];
    expect(drawn.map(({ prompt_token_ids: ids }) => ids)).toEqual(prompts);
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    expect(warnings).toEqual([]);
  });

  it('find the turns before them, under the same weights and salt alone', async () => {
    const completion = async (body: Record<string, unknown>) => {
      const { status, text } = await post('/v1/completions', {
        return_token_ids: true,
        max_tokens: 20,
        seed: 1,
        ...body,
      });
      expect(status, text).toBe(200);
      const { choices: drawn, usage } = JSON.parse(text) as {
        choices: { token_ids: number[] }[];
        usage: { prompt_tokens_details: { cached_tokens: number } };
      };
      return { drawn, ids: drawn[0]!.token_ids, found: usage.prompt_tokens_details.cached_tokens };
    };
    const total = async (name: string) => {
      const text = await (await fetch(`${server.origin}/metrics`)).text();
      return Number(new RegExp(`^${name}\\S* (\\S+)$`, 'm').exec(text)![1]);
    };
    const names = ['vllm:prefix_cache_queries_total', 'vllm:prefix_cache_hits_total'];
    const [queries, hits] = await Promise.all(names.map(total));
    await loadAdapter('talks', { seed: 3 });
    const prompt = Array.from({ length: 40 }, (_, i) => 2 * i);
    const first = await completion({ model: 'talks', prompt });
    const second = { model: 'talks', prompt: [...prompt, ...first.ids, 5, 6] };
    const salted = await completion({ ...second, cache_salt: 'another' });
    const reused = await completion(second);
    expect([first.found, salted.found, reused.found]).toEqual([0, 0, 48]);
    expect(reused.drawn).toEqual(salted.drawn);
    expect((await total(names[0]!)) - queries!).toBe(40 + 2 * 62);
    expect((await total(names[1]!)) - hits!).toBe(48);

    expect((await post('/reset_prefix_cache?reset_running_requests=false', undefined)).status).toBe(200);
    expect((await completion(second)).found).toBe(0);
    expect((await completion({ ...second, prompt: [...second.prompt, 7] })).found).toBe(48);
    const error = await errorOf('/v1/completions', { ...second, cache_salt: '' });
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining('cache_salt') });
    expect((await post('/v1/unload_lora_adapter', { lora_name: 'talks' })).status).toBe(200);
    const directory = await server.writeAdapter('talks-again', { seed: 4 });
    expect((await post('/v1/load_lora_adapter', { lora_name: 'talks', lora_path: directory })).status).toBe(200);
    const reloaded = await completion(second);
    expect(reloaded.found).toBe(0);
    expect(reloaded.ids).not.toEqual(reused.ids);
  });

  it('take the request id of the client', async () => {
    const response = await fetch(`${server.origin}/v1/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-request-id': 'step-7' },
      body: JSON.stringify({ prompt: [1], max_tokens: 1 }),
    });
    expect(((await response.json()) as { id: string }).id).toBe('cmpl-step-7');
  });

  it.each([
    [{ presence_penalty: 0.5 }, "'presence_penalty' is not supported"],
    [{ logit_bias: { 5: 1 } }, "'logit_bias' is not supported"],
    [{ echo: true }, "'echo' is not supported"],
    [{ response_format: { type: 'json_object' } }, "'response_format' is not supported"],
    [{ seed: 2 ** 60 }, 'seed must be an integer between'],
  ])('refuse %j rather than give something else', async (extra, message) => {
    const error = await errorOf('/v1/completions', { prompt: [1], ...extra });
    expect(error).toMatchObject({ status: 400, message: expect.stringContaining(message) });
  });

  it('accept the neutral values of what is not supported', async () => {
    const neutral = {
      presence_penalty: 0,
      repetition_penalty: 1.0,
      echo: false,
      logit_bias: {},
      bad_words: [],
      suffix: null,
    };
    expect(await choices({ prompt: [1], max_tokens: 1, ...neutral })).toHaveLength(1);
  });

  it('refuse a body of more than 32 MiB, and one that is not UTF-8', async () => {
    const send = (body: Buffer) =>
      fetch(`${server.origin}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
    const large = await send(Buffer.alloc(33 * 2 ** 20, ' '));
    expect([large.status, await large.text()]).toEqual([413, expect.stringContaining('larger than 32 MiB')]);
    expect((await send(Buffer.from([0x22, 0xff, 0x22]))).status).toBe(400);
  });
});

describe('weights', () => {
  it('unloading waits for the requests on that adapter and for no others', async () => {
    await loadAdapter('busy-v1');
    await loadAdapter('busy-v2');
    const long = { prompt: [1, 2, 3], max_tokens: 200, ignore_eos: true, n: 8, seed: 1 };
    const finished: string[] = [];
    const mark = async <T>(name: string, work: Promise<T>) => {
      const result = await work;
      finished.push(name);
      return result;
    };
    const inFlight = mark('busy', choices({ ...long, model: 'busy-v1' }));
    await expect.poll(running, { interval: 2 }).toBeGreaterThan(0);
    const unloaded = mark('unload', post('/v1/unload_lora_adapter', { lora_name: 'busy-v1' }));
    await expect
      .poll(() => errorOf('/v1/completions', { model: 'busy-v1', prompt: [1] }))
      .toMatchObject({ status: 404 });
    await mark('other', choices({ model: 'busy-v2', prompt: [1], max_tokens: 2 }));
    expect((await unloaded).status).toBe(200);
    expect(await inFlight).toHaveLength(8);
    expect(finished).toEqual(['other', 'busy', 'unload']);
  });

  it('full models come and go beside the base model, with the same replies', async () => {
    const directory = await server.writeModel('full-v1', 5);
    const load = { model_name: 'full-v1', model_path: directory };
    const before = await choices({ prompt: [1, 2], max_tokens: 8, seed: 1 });
    expect(await post('/tandem/v1/load_model', load)).toEqual({
      status: 200,
      text: "Success: model 'full-v1' added successfully.",
    });
    const full = await choices({ model: 'full-v1', prompt: [1, 2], max_tokens: 8, seed: 1 });
    expect(full).not.toEqual(before);
    expect(await choices({ prompt: [1, 2], max_tokens: 8, seed: 1 })).toEqual(before);
    expect(await errorOf('/tandem/v1/load_model', load)).toMatchObject({
      status: 400,
      message: expect.stringContaining("'full-v1' has already been loaded"),
    });
    expect((await errorOf('/v1/unload_lora_adapter', { lora_name: 'full-v1' })).status).toBe(404);
    expect((await post('/tandem/v1/unload_model', { model_name: 'full-v1' })).text).toBe(
      "Success: model 'full-v1' removed successfully.",
    );
    expect((await errorOf('/v1/completions', { model: 'full-v1', prompt: [1] })).status).toBe(404);
    expect((await errorOf('/tandem/v1/unload_model', { model_name: 'run-tiny' })).status).toBe(404);
  });

  it('two loads of one name at the same time: one wins, the other is refused', async () => {
    const directory = await server.writeAdapter('race');
    const load = () => post('/v1/load_lora_adapter', { lora_name: 'race', lora_path: directory });
    const statuses = (await Promise.all([load(), load()])).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 400]);
  });

  it('come from under the adapters root only, symbolic links included', async () => {
    const elsewhere = path.dirname(server.adaptersRoot);
    await symlink(elsewhere, path.join(server.adaptersRoot, 'link'));
    for (const lora_path of [
      elsewhere,
      path.join(server.adaptersRoot, 'link'),
      `${server.adaptersRoot}/../model`,
      server.adaptersRoot,
    ]) {
      const error = await errorOf('/v1/load_lora_adapter', { lora_name: 'escape', lora_path });
      expect(error).toMatchObject({ status: 400, message: expect.stringContaining('is not under') });
    }
  });

  it('say why an adapter does not load', async () => {
    const tooWide = await server.writeAdapter('wide', { r: 32 });
    expect(await errorOf('/v1/load_lora_adapter', { lora_name: 'wide', lora_path: tooWide })).toEqual({
      status: 500,
      message: 'LoRA rank 32 is greater than max_lora_rank 16.',
    });
    const notOne = await server.writeModel('not-an-adapter', 1);
    expect(await errorOf('/v1/load_lora_adapter', { lora_name: 'odd', lora_path: notOne })).toMatchObject({
      status: 500,
      message: expect.stringContaining('adapter_config.json'),
    });
  });
});

describe('closing', () => {
  it('answers what is running with what there is, and takes no more', async () => {
    const closing = await startEmbeddedServer();
    const cut = choices({ prompt: [1, 2], max_tokens: 250, ignore_eos: true, n: 16 }, closing);
    await expect.poll(() => running(closing), { interval: 1 }).toBeGreaterThan(0);
    await closing.close();
    for (const choice of (await cut) as { finish_reason: string; token_ids: number[] }[]) {
      expect(choice.finish_reason).toBe('abort');
      expect(choice.token_ids.length).toBeLessThan(250);
    }
    await expect(fetch(`${closing.origin}/health`)).rejects.toThrow();
  });
});

async function running(of = server): Promise<number> {
  const text = await (await fetch(`${of.origin}/metrics`)).text();
  return Number(/^vllm:num_requests_running\S* (\S+)$/m.exec(text)?.[1]);
}
