import { beforeAll, describe, expect, it } from 'vitest';

/** A server that speaks the part of vLLM's API the trainer uses, and what it serves. */
export interface ServedFacts {
  /** Without a path: `http://127.0.0.1:8000`. */
  readonly origin: string;
  /** Served model name of the base model. */
  readonly model: string;
  readonly contextLength: number;
  readonly vocabSize: number;
  /** Two adapter directories the server can load, each of which changes what the model says. */
  readonly adapterPaths: readonly [string, string];
  /** A path where the server finds no adapter. */
  readonly missingAdapterPath: string;
}

interface Choice {
  index: number;
  text: string;
  finish_reason: string | null;
  stop_reason: number | string | null;
  token_ids: number[] | null;
  prompt_token_ids: number[] | null;
  prompt_logprobs: (Record<string, { logprob: number; rank: number; decoded_token: string }> | null)[] | null;
  logprobs: {
    text_offset: number[];
    token_logprobs: number[];
    tokens: string[];
    top_logprobs: Record<string, number>[];
  } | null;
}

interface CompletionBody {
  id: string;
  object: string;
  created: number;
  model: string;
  choices: Choice[];
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

/** What every implementation must do: the embedded server, a fake, a real vLLM started as DESIGN 4.9 says. */
export function vllmApiContract(connect: () => Promise<ServedFacts>): void {
  let facts: ServedFacts;

  beforeAll(async () => {
    facts = await connect();
  });

  const prompt = (length: number, from = 40) => Array.from({ length }, (_, i) => from + i);

  function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return fetch(`${facts.origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: text,
    });
  }

  async function complete(body: Record<string, unknown>): Promise<CompletionBody> {
    const response = await post('/v1/completions', { model: facts.model, return_token_ids: true, ...body });
    expect(response.status, await response.clone().text()).toBe(200);
    return (await response.json()) as CompletionBody;
  }

  async function refusal(
    response: Response,
    status: number,
  ): Promise<{ message: string; type: string; param: unknown }> {
    const body = (await response.json()) as { error: { message: string; type: string; param: unknown; code: number } };
    expect(response.status, JSON.stringify(body)).toBe(status);
    expect(Object.keys(body)).toEqual(['error']);
    expect(body.error).toMatchObject({ message: expect.any(String), type: expect.any(String), code: status });
    expect(body.error).toHaveProperty('param');
    return body.error;
  }

  describe('probes', () => {
    it('answers /health with 200 and no body', async () => {
      const response = await fetch(`${facts.origin}/health`);
      expect([response.status, await response.text()]).toEqual([200, '']);
    });

    it('lists the base model with its context length', async () => {
      const { object, data } = (await (await fetch(`${facts.origin}/v1/models`)).json()) as {
        object: string;
        data: Record<string, unknown>[];
      };
      expect(object).toBe('list');
      expect(data.find(({ id }) => id === facts.model)).toMatchObject({
        object: 'model',
        owned_by: 'vllm',
        parent: null,
        max_model_len: facts.contextLength,
        created: expect.any(Number),
        root: expect.any(String),
        permission: expect.any(Array),
      });
    });

    it('counts tokens in Prometheus metrics under vLLM names', async () => {
      const value = async (name: string) => {
        const text = await (await fetch(`${facts.origin}/metrics`)).text();
        const line = text
          .split('\n')
          .find((candidate) => candidate.startsWith(`${name}{`) || candidate.startsWith(`${name} `));
        return Number(line?.split(' ').at(-1));
      };
      const before = await value('vllm:generation_tokens_total');
      await complete({ prompt: prompt(3), max_tokens: 4, ignore_eos: true });
      expect((await value('vllm:generation_tokens_total')) - before).toBe(4);
      expect(await value('vllm:num_requests_running')).toBe(0);
      expect(await value('vllm:num_requests_waiting')).toBe(0);
      expect(await value('vllm:prompt_tokens_total')).toBeGreaterThan(0);
    });

    it('answers an unknown path with 404 and a wrong method with 405', async () => {
      await refusal(await fetch(`${facts.origin}/v1/nothing`), 404);
      await refusal(await fetch(`${facts.origin}/v1/completions`), 405);
    });
  });

  describe('completions', () => {
    it('takes token ids and gives n choices per prompt, prompt after prompt', async () => {
      const prompts = [prompt(5), prompt(3, 60)];
      const body = await complete({ prompt: prompts, n: 3, max_tokens: 4, logprobs: 0, seed: 1, ignore_eos: true });
      expect(body).toMatchObject({ object: 'text_completion', model: facts.model, created: expect.any(Number) });
      expect(body.id).toMatch(/^cmpl-/);
      expect(body.choices.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(body.choices.map(({ prompt_token_ids: ids }) => ids)).toEqual([0, 0, 0, 1, 1, 1].map((i) => prompts[i]));
      for (const choice of body.choices) {
        expect(choice).toMatchObject({ text: expect.any(String), finish_reason: 'length', stop_reason: null });
        expect(choice.token_ids).toHaveLength(4);
        expect(choice.logprobs!.token_logprobs).toHaveLength(4);
        expect(choice.logprobs!.tokens).toHaveLength(4);
        expect(choice.logprobs!.text_offset).toHaveLength(4);
        expect(choice.logprobs!.top_logprobs).toHaveLength(4);
        expect(choice.logprobs!.token_logprobs.every((logprob) => logprob <= 0 && logprob > -9999)).toBe(true);
      }
      expect(body.usage).toMatchObject({ prompt_tokens: 8, completion_tokens: 24, total_tokens: 32 });
    });

    it('takes one list of token ids, a text and a list of texts', async () => {
      const counts: number[] = [];
      for (const each of [prompt(4), '12+34=', ['1', '2', '3']]) {
        counts.push((await complete({ prompt: each, max_tokens: 2 })).choices.length);
      }
      expect(counts).toEqual([1, 1, 3]);
    });

    it('draws 16 tokens when max_tokens is left out', async () => {
      const body = await complete({ prompt: prompt(3), ignore_eos: true });
      expect(body.choices[0]!.token_ids).toHaveLength(16);
    });

    it('leaves out logprobs and token ids unless they are asked for', async () => {
      const body = await complete({ prompt: prompt(3), max_tokens: 2, return_token_ids: null });
      expect(body.choices[0]).toMatchObject({ logprobs: null, token_ids: null, prompt_token_ids: null });
    });

    it('gives the sampled token alone for logprobs 0, and the most likely ones beside it for more', async () => {
      const options = {
        prompt: prompt(5),
        max_tokens: 3,
        temperature: 0,
        return_tokens_as_token_ids: true,
        ignore_eos: true,
      };
      const [alone] = (await complete({ ...options, logprobs: 0 })).choices;
      expect(alone!.logprobs!.tokens).toEqual(alone!.token_ids!.map((id) => `token_id:${id}`));
      expect(alone!.logprobs!.top_logprobs.map((top) => Object.keys(top))).toEqual(
        alone!.token_ids!.map((id) => [`token_id:${id}`]),
      );
      const [several] = (await complete({ ...options, logprobs: 3 })).choices;
      for (const [i, top] of several!.logprobs!.top_logprobs.entries()) {
        expect(Object.keys(top)).toHaveLength(3);
        expect(Math.max(...Object.values(top))).toBe(several!.logprobs!.token_logprobs[i]);
      }
    });

    it('gives prompt logprobs by token id, null for the first token', async () => {
      const tokens = prompt(4);
      const [choice] = (await complete({ prompt: tokens, max_tokens: 1, prompt_logprobs: 0 })).choices;
      const [first, ...others] = choice!.prompt_logprobs!;
      expect(first).toBeNull();
      expect(others.map((position) => Object.keys(position!))).toEqual(tokens.slice(1).map((token) => [String(token)]));
      for (const position of others) {
        const [entry] = Object.values(position!);
        expect(entry).toMatchObject({ logprob: expect.any(Number), decoded_token: expect.any(String) });
        expect(entry!.rank).toBeGreaterThanOrEqual(1);
      }
    });

    it('repeats itself at temperature 0 and with a seed', async () => {
      for (const options of [{ temperature: 0 }, { temperature: 1, seed: 11 }]) {
        const draw = async () =>
          (await complete({ prompt: prompt(6), max_tokens: 8, ...options })).choices[0]!.token_ids;
        expect(await draw()).toEqual(await draw());
      }
    });

    it('says the same of a prompt that it knows as under a salt that it does not, and refuses an empty one', async () => {
      const options = { prompt: prompt(40), max_tokens: 8, temperature: 0, logprobs: 0, ignore_eos: true };
      const [first] = (await complete({ ...options, cache_salt: 'once' })).choices;
      const [known] = (await complete({ ...options, cache_salt: 'once' })).choices;
      const [anew] = (await complete({ ...options, cache_salt: 'twice' })).choices;
      expect([known!.token_ids, anew!.token_ids]).toEqual([first!.token_ids, first!.token_ids]);
      await refusal(await post('/v1/completions', { model: facts.model, ...options, cache_salt: '' }), 400);
    });

    it('stops at a stop token, which is named as stop_reason and is the last of the tokens', async () => {
      const options = { prompt: prompt(6), max_tokens: 6, temperature: 0, ignore_eos: true };
      const free = (await complete(options)).choices[0]!.token_ids!;
      const stop = free[2]!;
      const [choice] = (await complete({ ...options, stop_token_ids: [stop] })).choices;
      expect(choice).toMatchObject({ finish_reason: 'stop', stop_reason: stop });
      expect(choice!.token_ids).toEqual(free.slice(0, free.indexOf(stop) + 1));
      const [longer] = (await complete({ ...options, stop_token_ids: [stop], min_tokens: 5 })).choices;
      expect(longer!.token_ids!.slice(0, 4)).not.toContain(stop);
      expect(longer!.token_ids!.length).toBeGreaterThanOrEqual(5);
    });

    it('cuts the text before a stop string', async () => {
      const options = { prompt: prompt(6), max_tokens: 12, temperature: 1, seed: 5, ignore_eos: true };
      const { text } = (await complete(options)).choices[0]!;
      const stop = [...text].find((character, i) => i > 0 && character !== '\uFFFD')!;
      const [choice] = (await complete({ ...options, stop: [stop] })).choices;
      expect(choice).toMatchObject({
        finish_reason: 'stop',
        stop_reason: stop,
        text: text.slice(0, text.indexOf(stop)),
      });
    });

    it('ignores fields it does not know', async () => {
      expect((await complete({ prompt: prompt(3), max_tokens: 1, no_such_field: 1 })).choices).toHaveLength(1);
    });

    it('streams the same tokens as server-sent events that end with [DONE]', async () => {
      const options = {
        model: facts.model,
        prompt: prompt(5),
        n: 2,
        max_tokens: 6,
        seed: 3,
        return_token_ids: true,
        logprobs: 0,
      };
      const whole = await complete(options);
      const response = await post('/v1/completions', {
        ...options,
        stream: true,
        stream_options: { include_usage: true },
      });
      expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/);
      const events = (await response.text())
        .trim()
        .split('\n\n')
        .map((event) => event.replace(/^data: /, ''));
      expect(events.at(-1)).toBe('[DONE]');
      const chunks = events.slice(0, -1).map((event) => JSON.parse(event) as CompletionBody);
      const streamed = whole.choices.map(({ index }) => {
        const parts = chunks.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
        return {
          text: parts.map(({ text }) => text).join(''),
          ids: parts.flatMap(({ token_ids: ids }) => ids ?? []),
          finish: parts.at(-1)!.finish_reason,
        };
      });
      expect(streamed).toEqual(
        whole.choices.map(({ text, token_ids: ids, finish_reason: finish }) => ({ text, ids, finish })),
      );
      expect(chunks.at(-1)!.choices).toEqual([]);
      expect(chunks.at(-1)!.usage).toMatchObject(whole.usage);
    });

    it('frees what a client that went away was using', async () => {
      const gone = new AbortController();
      const options = {
        model: facts.model,
        prompt: prompt(3),
        max_tokens: facts.contextLength - 8,
        n: 8,
        ignore_eos: true,
      };
      const request = fetch(`${facts.origin}/v1/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(options),
        signal: gone.signal,
      });
      const running = async () => {
        const text = await (await fetch(`${facts.origin}/metrics`)).text();
        return Number(/^vllm:num_requests_running\S* (\S+)$/m.exec(text)?.[1]);
      };
      await expect.poll(running, { interval: 5 }).toBeGreaterThan(0);
      gone.abort();
      await expect(request).rejects.toThrow();
      await expect.poll(running, { interval: 5 }).toBe(0);
    });
  });

  describe('refusals', () => {
    it('answers 404 for an unknown model and names the parameter', async () => {
      const error = await refusal(await post('/v1/completions', { model: 'nobody', prompt: prompt(3) }), 404);
      expect(error).toMatchObject({ type: 'NotFoundError', param: 'model' });
      expect(error.message).toBe('The model `nobody` does not exist.');
    });

    it('answers 400 for a body that is not JSON, and for another content type', async () => {
      await refusal(await post('/v1/completions', '{"model": '), 400);
      await refusal(await post('/v1/completions', '{}', { 'content-type': 'text/plain' }), 400);
    });

    it.each([
      ['no prompt', {}],
      ['an empty text', { prompt: '' }],
      ['an empty list of tokens', { prompt: [[]] }],
      ['a mixed list', { prompt: [1, 'a'] }],
      ['n of 0', { prompt: [1], n: 0 }],
      ['a negative temperature', { prompt: [1], temperature: -1 }],
      ['top_p of 0', { prompt: [1], top_p: 0 }],
      ['min_p above 1', { prompt: [1], min_p: 2 }],
      ['top_k below -1', { prompt: [1], top_k: -2 }],
      ['max_tokens of 0', { prompt: [1], max_tokens: 0 }],
      ['more min_tokens than max_tokens', { prompt: [1], max_tokens: 2, min_tokens: 3 }],
      ['more logprobs than allowed', { prompt: [1], logprobs: 21 }],
      ['more prompt logprobs than allowed', { prompt: [1], prompt_logprobs: 21 }],
      ['a text for a number', { prompt: [1], max_tokens: 'many' }],
      ['stream options without stream', { prompt: [1], stream_options: { include_usage: true } }],
    ])('answers 400 for %s', async (_, body) => {
      await refusal(await post('/v1/completions', { model: facts.model, ...body }), 400);
    });

    it('answers 400 for a token outside the vocabulary', async () => {
      const error = await refusal(
        await post('/v1/completions', { model: facts.model, prompt: [facts.vocabSize] }),
        400,
      );
      expect(error.message).toContain('out of vocabulary');
    });

    it('answers 400 when prompt and max_tokens do not fit the context, and says the sizes', async () => {
      const long = Array.from({ length: facts.contextLength }, () => 40);
      const error = await refusal(
        await post('/v1/completions', { model: facts.model, prompt: long, max_tokens: 1 }),
        400,
      );
      expect(error.message).toContain(String(facts.contextLength));
      const tooMany = { model: facts.model, prompt: [1], max_tokens: facts.contextLength + 1 };
      await refusal(await post('/v1/completions', tooMany), 400);
    });
  });

  describe('adapters', () => {
    const drawn = async (model: string) => {
      const body = await complete({ model, prompt: prompt(6), max_tokens: 1, prompt_logprobs: 0 });
      expect(body.model).toBe(model);
      return JSON.stringify(body.choices[0]!.prompt_logprobs);
    };
    const load = (name: string, path: string) => post('/v1/load_lora_adapter', { lora_name: name, lora_path: path });
    const unload = (name: string) => post('/v1/unload_lora_adapter', { lora_name: name });

    it('come and go under names of their own; success is plain text', async () => {
      const [first, second] = facts.adapterPaths;
      const loaded = await load('adapter-v1', first);
      expect([loaded.status, await loaded.text()]).toEqual([
        200,
        "Success: LoRA adapter 'adapter-v1' added successfully.",
      ]);
      expect(loaded.headers.get('content-type')).toMatch(/^text\/plain/);
      expect((await load('adapter-v2', second)).status).toBe(200);

      const { data } = (await (await fetch(`${facts.origin}/v1/models`)).json()) as { data: Record<string, unknown>[] };
      const card = data.find(({ id }) => id === 'adapter-v1');
      expect(card).toMatchObject({ root: first, parent: facts.model });
      expect(card!['max_model_len'] ?? null).toBeNull();

      const said = [await drawn(facts.model), await drawn('adapter-v1'), await drawn('adapter-v2')];
      expect(new Set(said).size).toBe(3);

      const unloaded = await unload('adapter-v1');
      expect(await unloaded.text()).toBe("Success: LoRA adapter 'adapter-v1' removed successfully.");
      await refusal(await post('/v1/completions', { model: 'adapter-v1', prompt: [1] }), 404);
      expect(await drawn('adapter-v2')).toBe(said[2]);
      expect((await unload('adapter-v2')).status).toBe(200);
    });

    it('are refused under a name that is taken', async () => {
      await load('adapter-twice', facts.adapterPaths[0]);
      const error = await refusal(await load('adapter-twice', facts.adapterPaths[1]), 400);
      expect(error.message).toContain("The lora adapter 'adapter-twice' has already been loaded");
      await unload('adapter-twice');
    });

    it('answer 404 when there is nothing at the path or under the name, 400 when a field is missing', async () => {
      const missing = await refusal(await load('adapter-nowhere', facts.missingAdapterPath), 404);
      expect(missing.message).toContain('No adapter found for');
      const unknown = await refusal(await unload('adapter-unknown'), 404);
      expect(unknown.message).toBe("The lora adapter 'adapter-unknown' cannot be found.");
      await refusal(await post('/v1/load_lora_adapter', { lora_name: 'adapter-half' }), 400);
      await refusal(await post('/v1/unload_lora_adapter', {}), 400);
    });
  });

  describe('chat and text', () => {
    const messages = [{ role: 'user', content: '12+34=' }];

    it('answers a conversation through the chat template', async () => {
      const response = await post('/v1/chat/completions', {
        model: facts.model,
        messages,
        max_completion_tokens: 4,
        logprobs: true,
        top_logprobs: 2,
        return_token_ids: true,
        ignore_eos: true,
      });
      const body = (await response.json()) as Record<string, unknown> & { choices: Record<string, unknown>[] };
      expect(body).toMatchObject({
        object: 'chat.completion',
        model: facts.model,
        prompt_token_ids: expect.any(Array),
      });
      expect(body.choices[0]).toMatchObject({
        index: 0,
        message: { role: 'assistant', content: expect.any(String) },
        finish_reason: 'length',
        token_ids: expect.any(Array),
      });
      const { content } = body.choices[0]!['logprobs'] as { content: Record<string, unknown>[] };
      expect(content).toHaveLength(4);
      expect(content[0]).toMatchObject({
        token: expect.any(String),
        logprob: expect.any(Number),
        bytes: expect.any(Array),
      });
      expect(content[0]!['top_logprobs']).toHaveLength(2);
    });

    it('tokenizes and detokenizes, texts and conversations', async () => {
      const tokenize = async (body: unknown) =>
        (await (await post('/tokenize', body)).json()) as { count: number; max_model_len: number; tokens: number[] };
      const plain = await tokenize({ model: facts.model, prompt: '12+34=', add_special_tokens: false });
      expect(plain).toMatchObject({ count: plain.tokens.length, max_model_len: facts.contextLength });
      const back = await post('/detokenize', { model: facts.model, tokens: plain.tokens });
      expect(await back.json()).toEqual({ prompt: '12+34=' });
      const chat = await tokenize({ model: facts.model, messages });
      expect(chat.count).toBeGreaterThan(plain.count);
    });
  });
}
