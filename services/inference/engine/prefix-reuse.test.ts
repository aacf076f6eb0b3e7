import { beforeAll, describe, expect, it } from 'vitest';
import type { Decoder } from '../../model/decoder.ts';
import { BLOCK_ROWS, blockBytes } from '../../model/kv-pool.ts';
import { uniform } from '../../model/random.ts';
import { busyAdapter, generationRequest, served, tinyDecoder, tinyEngine } from '../testing/tiny-engine.ts';
import type { Generation, GenerationRequest } from './generation.ts';
import type { ServedModel } from './served-model.ts';

let decoder: Decoder;
let base: ServedModel;
let adapted: ServedModel;

beforeAll(async () => {
  decoder = await tinyDecoder();
  base = served('base', decoder);
  adapted = served('adapted', decoder, busyAdapter(decoder, 1));
});

function tokens(length: number, seed: number): number[] {
  return Array.from({ length }, (_, i) => Math.floor(uniform(seed, i) * 256));
}

const whole = (count: number) => Math.floor(count / BLOCK_ROWS) * BLOCK_ROWS;
const alone = (request: GenerationRequest) => tinyEngine().engine.generate(request);

/** A completion without what depends on the cache. */
function bitsOf({ choices, promptLogprobs }: Generation) {
  return { choices, promptLogprobs };
}

describe('what was computed for one request', () => {
  it('is used by the next turn of a conversation, generated tokens and all, and changes no bit of it', async () => {
    const { engine, lookups } = tinyEngine();
    for (const model of [base, adapted]) {
      let prompt = tokens(21, 3);
      let known = 0;
      for (let turn = 0; turn < 3; turn++) {
        const request = generationRequest(model, prompt, { seed: BigInt(turn), maxTokens: 13, logprobs: 2 });
        const generation = await engine.generate(request);
        expect(generation.cachedTokens).toBe(whole(known));
        expect(lookups.at(-1)).toEqual([prompt.length, whole(known)]);
        expect(bitsOf(generation)).toEqual(bitsOf(await alone(request)));
        // The last token drawn was not read in.
        known = prompt.length + 12;
        prompt = [...prompt, ...generation.choices[0]!.tokens, ...tokens(5, turn)];
      }
    }
  });

  it('is read once by requests that come together with one prompt', async () => {
    const { engine, iterations } = tinyEngine();
    const requests = Array.from({ length: 8 }, (_, i) =>
      generationRequest(base, tokens(40, 1), { seed: BigInt(i), maxTokens: 3 }),
    );
    const generations = await Promise.all(requests.map((request) => engine.generate(request)));
    expect(generations.map(({ cachedTokens }) => cachedTokens)).toEqual([0, 32, 32, 32, 32, 32, 32, 32]);
    expect(iterations.slice(0, 2)).toEqual([40, 1 + 7 * 8]);
    for (const [i, request] of requests.entries()) {
      expect(bitsOf(generations[i]!)).toEqual(bitsOf(await alone(request)));
    }
  });

  it('is used after the request was aborted half way', async () => {
    const { engine } = tinyEngine({ maxBatchedTokens: 20 });
    const gone = new AbortController();
    const long = engine.generate(
      generationRequest(base, tokens(60, 2), { maxTokens: 100 }, { n: 2, signal: gone.signal }),
    );
    const refused = expect(long).rejects.toThrow('gone');
    for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
    gone.abort(new Error('gone'));
    await refused;
    expect(engine.load.kvUsedBytes).toBe(0);
    const request = generationRequest(base, tokens(60, 2), { maxTokens: 9 }, { n: 2 });
    const generation = await engine.generate(request);
    expect(generation.cachedTokens).toBe(32);
    expect(bitsOf(generation)).toEqual(bitsOf(await alone(request)));
  });

  it('is read by the next prompt that needs it when the one that was reading it is aborted', async () => {
    const { engine } = tinyEngine({ maxBatchedTokens: 10 });
    const gone = new AbortController();
    const first = engine.generate(generationRequest(base, tokens(40, 5), {}, { signal: gone.signal }));
    const refused = expect(first).rejects.toThrow('gone');
    const request = generationRequest(base, tokens(40, 5), { maxTokens: 5 });
    const second = engine.generate(request);
    await new Promise((resolve) => setImmediate(resolve));
    gone.abort(new Error('gone'));
    await refused;
    const generation = await second;
    expect([generation.cachedTokens, bitsOf(generation)]).toEqual([0, bitsOf(await alone(request))]);
  });

  it('makes room when the memory is needed, whoever goes half way, and changes no bit then either', async () => {
    const limit = 12 * blockBytes(decoder.config);
    const { engine, lookups } = tinyEngine({ kvCacheBytes: limit, maxBatchedTokens: 33 });
    const requests = Array.from({ length: 24 }, (_, i) => {
      const start = tokens(16 + 16 * (i % 3), i % 6 < 3 ? 0 : i % 4);
      const options = { seed: BigInt(i), maxTokens: 1 + ((i * 7) % 17), promptLogprobs: i % 9 === 0 ? 0 : null };
      return generationRequest([base, adapted][i % 2]!, [...start, ...tokens(i % 11, i)], options, { n: 1 + (i % 3) });
    });
    const { engine: roomy } = tinyEngine();
    const apart = requests.map((request, i) => roomy.generate({ ...request, cacheSalt: `nobody else’s ${i}` }));
    const expected = (await Promise.all(apart)).map(bitsOf);
    for (let at = 0; at < requests.length; at += 8) {
      const goes = new AbortController();
      const batch = requests.slice(at, at + 8).map((request, i) => {
        const { signal } = goes;
        return engine.generate(i % 4 === 1 ? { ...request, signal } : request);
      });
      const results = Promise.allSettled(batch);
      for (let turn = 0; turn < at / 4; turn++) await new Promise((resolve) => setImmediate(resolve));
      goes.abort(new Error('gone'));
      for (const [i, result] of (await results).entries()) {
        if (result.status === 'fulfilled') expect(bitsOf(result.value)).toEqual(expected[at + i]);
        else expect([i % 4, result.reason]).toEqual([1, new Error('gone')]);
      }
      expect(engine.load.kvHeldBytes).toBeLessThanOrEqual(limit);
      expect(engine.load.kvUsedBytes).toBe(0);
    }
    expect(lookups.filter(([, found]) => found > 0).length).toBeGreaterThan(2);
  });
});

describe('what was computed is not found', () => {
  const request = (model: ServedModel, rest: Partial<GenerationRequest> = {}) =>
    generationRequest(model, tokens(40, 1), { maxTokens: 4 }, rest);

  it('with other weights, also under the same name, nor under another salt', async () => {
    const { engine } = tinyEngine();
    const found = async (each: GenerationRequest) => (await engine.generate(each)).cachedTokens;
    expect(await found(request(adapted))).toBe(0);
    const reloaded = served(adapted.name, decoder, busyAdapter(decoder, 2));
    expect(await found(request(reloaded))).toBe(0);
    expect(await found(request(base))).toBe(0);
    expect(await found(request(base, { cacheSalt: 'a' }))).toBe(0);
    expect(await found(request(base, { cacheSalt: ',7' }))).toBe(0);
    expect(await found(request(base, { cacheSalt: 'a' }))).toBe(32);
    expect(await found(request(reloaded))).toBe(32);
  });

  it('once the weights are unloaded or the cache is reset, and what runs goes on', async () => {
    const { engine } = tinyEngine();
    const expected = bitsOf(await alone(request(base)));
    for (const clear of [() => engine.forget(base), () => engine.resetPrefixes()]) {
      await engine.generate(request(base));
      const running = engine.generate(request(base));
      await new Promise((resolve) => setImmediate(resolve));
      clear();
      expect(bitsOf(await running)).toEqual(expected);
      const again = await engine.generate(request(base));
      expect([again.cachedTokens, bitsOf(again)]).toEqual([0, expected]);
      clear();
    }
  });

  it('for a prompt whose own logprobs are wanted, which others use afterwards', async () => {
    const { engine, lookups } = tinyEngine();
    await engine.generate(request(base));
    const scored = generationRequest(base, tokens(56, 1), { maxTokens: 4, promptLogprobs: 1 });
    const generation = await engine.generate(scored);
    expect(generation).toEqual(await alone(scored));
    expect(lookups).toEqual([[40, 0]]);
    expect((await engine.generate(generationRequest(base, tokens(56, 1)))).cachedTokens).toBe(48);
  });
});

it('choices share the blocks of their prompt', async () => {
  const { engine } = tinyEngine();
  const held: number[] = [];
  const watched = generationRequest(
    base,
    tokens(100, 1),
    { maxTokens: 10 },
    {
      n: 8,
      onProgress: () => void held.push(engine.load.kvUsedBytes / blockBytes(decoder.config)),
    },
  );
  await engine.generate(watched);
  expect(Math.max(...held), 'six full blocks, and a last one for each').toBe(6 + 8);
});
