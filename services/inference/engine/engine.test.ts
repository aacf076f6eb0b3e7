import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Decoder } from '../../model/decoder.ts';
import { logSumExp } from '../../model/kernels/token-logprobs.ts';
import { blockBytes } from '../../model/kv-pool.ts';
import { packSequences } from '../../model/packed-batch.ts';
import { permutation, uniform } from '../../model/random.ts';
import { busyAdapter, generationRequest, served, tinyDecoder, tinyEngine } from '../testing/tiny-engine.ts';
import { EngineDeadError, EngineRefusal } from './engine-errors.ts';
import type { Generation, GenerationRequest } from './generation.ts';
import type { ServedModel } from './served-model.ts';

let decoder: Decoder;
let models: ServedModel[];

beforeAll(async () => {
  decoder = await tinyDecoder();
  const other = await tinyDecoder(1);
  models = [
    served('base', decoder),
    served('v1', decoder, busyAdapter(decoder, 1)),
    served('v2', decoder, busyAdapter(decoder, 2)),
    served('full', other),
  ];
});

function prompt(length: number, seed: number): number[] {
  return Array.from({ length }, (_, i) => Math.floor(uniform(seed, i) * 256));
}

/** Requests that differ in everything: prompt, length, seed, temperature, filters, model, number of choices. */
function variedRequests(count: number): GenerationRequest[] {
  return Array.from({ length: count }, (_, i) =>
    generationRequest(
      models[i % models.length]!,
      prompt(1 + ((i * 7) % 40), i),
      {
        seed: BigInt(1000 + i),
        temperature: [1, 0, 0.7, 1.3][(i >> 2) % 4]!,
        topK: i % 5 === 0 ? 20 : 0,
        topP: i % 7 === 0 ? 0.9 : 1,
        maxTokens: 3 + ((i * 5) % 30),
        logprobs: i % 3,
        promptLogprobs: i % 4 === 1 ? 1 : null,
        stop: i % 6 === 0 ? ['<100>'] : [],
      },
      { n: 1 + (i % 3), promptIndex: i % 2 },
    ),
  );
}

async function alone(request: GenerationRequest): Promise<Generation> {
  return tinyEngine().engine.generate(request);
}

describe('a completion depends on its request alone', () => {
  it('is the same alone and among 31 others, with two adapters and two full models in the batch', async () => {
    const requests = variedRequests(32);
    const expected: Generation[] = [];
    for (const request of requests) expected.push(await alone(request));
    const { engine, deaths } = tinyEngine();
    const together = await Promise.all(requests.map((request) => engine.generate(request)));
    expect(deaths).toEqual([]);
    expect(together).toEqual(expected);
    expect(new Set(expected.map(({ choices }) => JSON.stringify(choices[0]!.tokens))).size).toBeGreaterThan(25);
  });

  it('is the same in any order of arrival, in small batches and with prompts read in pieces', async () => {
    const requests = variedRequests(32);
    const { engine: reference } = tinyEngine();
    const expected = await Promise.all(requests.map((request) => reference.generate(request)));
    for (const seed of [1, 2]) {
      const { engine } = tinyEngine({ maxBatchedTokens: 11, maxSequences: 5, maxLoras: 1 });
      const results: Promise<Generation>[] = [];
      for (const index of permutation(requests.length, seed)) {
        results[index] = engine.generate(requests[index]!);
        if (uniform(seed, index) < 0.6) await new Promise((resolve) => setImmediate(resolve));
      }
      expect(await Promise.all(results)).toEqual(expected);
    }
  });

  it('equals a full forward pass: logprobs decoded with the cache are those of the whole sequence', async () => {
    for (const model of models) {
      const tokens = prompt(9, 3);
      const { choices, promptLogprobs } = await alone(
        generationRequest(model, tokens, { temperature: 0.8, maxTokens: 20, promptLogprobs: 0 }),
      );
      const [choice] = choices;
      const sequence = [...tokens, ...choice!.tokens];
      const at = (temperature: number) => fullForwardLogprobs(model, sequence, temperature);
      expect(choice!.logprobs!.map(([ranked]) => ranked!.logprob)).toEqual(at(0.8).slice(tokens.length - 1));
      expect(promptLogprobs!.slice(1).map((ranked) => ranked![0]!.logprob)).toEqual(at(1).slice(0, tokens.length - 1));
    }
  });

  it('differs between the choices of a prompt, between prompts of a request and between seeds', async () => {
    const tokens = prompt(5, 1);
    const first = await alone(generationRequest(models[0]!, tokens, { seed: 7n }, { n: 3 }));
    const others = [
      await alone(generationRequest(models[0]!, tokens, { seed: 8n })),
      await alone(generationRequest(models[0]!, tokens, { seed: 7n }, { promptIndex: 1 })),
    ];
    const all = [...first.choices, ...others.flatMap(({ choices }) => choices)];
    expect(new Set(all.map((choice) => choice.tokens.join())).size).toBe(5);
    const single = await alone(generationRequest(models[0]!, tokens, { seed: 7n }));
    expect(single.choices[0]).toEqual(first.choices[0]);
  });
});

function fullForwardLogprobs(model: ServedModel, sequence: readonly number[], temperature: number): number[] {
  const { vocabSize } = model.decoder.config;
  const logits = tf.tidy(() =>
    model.decoder
      .logits(model.decoder.hidden(packSequences([sequence]), { ...(model.adapter && { adapter: model.adapter }) }))
      .dataSync(),
  ) as Float32Array;
  return sequence.slice(1).map((token, row) => {
    const at = row * vocabSize;
    return Math.fround(logits[at + token]! / temperature - logSumExp(logits, at, vocabSize, temperature));
  });
}

describe('memory', () => {
  it('is given back when a request is aborted, and the others go on', async () => {
    const { engine } = tinyEngine();
    const controller = new AbortController();
    const stays = engine.generate(generationRequest(models[0]!, prompt(4, 1), { maxTokens: 30 }, { n: 2 }));
    const goes = engine.generate(
      generationRequest(models[1]!, prompt(4, 2), { maxTokens: 400 }, { n: 4, signal: controller.signal }),
    );
    const refused = expect(goes).rejects.toThrow('client went away');
    await turns(5);
    const before = engine.load.kvUsage;
    expect(engine.load.running).toBe(6);
    controller.abort(new Error('client went away'));
    expect(engine.load.running).toBe(2);
    expect(engine.load.kvUsage).toBeLessThan(before);
    await refused;
    expect((await stays).choices.map(({ tokens }) => tokens.length)).toEqual([30, 30]);
    expect(engine.load).toMatchObject({ running: 0, waiting: 0, kvUsage: 0 });
  });

  it('is never promised twice: more choices than fit take turns and give the same completions', async () => {
    const request = generationRequest(models[0]!, prompt(4, 1), { maxTokens: 12 }, { n: 6 });
    const expected = await alone(request);
    const { engine } = tinyEngine({ kvCacheBytes: 3 * blockBytes(decoder.config) });
    const peak: number[] = [];
    const watched = { ...request, onProgress: () => void peak.push(engine.load.running) };
    expect(await engine.generate(watched)).toMatchObject({
      choices: expected.choices.map(({ tokens }) => ({ tokens })),
    });
    expect(Math.max(...peak)).toBe(2);
    expect(engine.load.kvUsage).toBe(0);
  });

  it('refuses a request that could never fit and says what to change', async () => {
    const { engine } = tinyEngine({ kvCacheBytes: 2 ** 16 });
    const tooLong = engine.generate(generationRequest(models[0]!, prompt(4, 1), { maxTokens: 500 }));
    await expect(tooLong).rejects.toThrow(/lower max_tokens.*--kv-cache-memory-bytes/);
    await expect(tooLong).rejects.toBeInstanceOf(EngineRefusal);
  });

  it('holds no tensors between requests', async () => {
    const { engine } = tinyEngine();
    await engine.generate(variedRequests(2)[1]!);
    const before = tf.memory().numTensors;
    await Promise.all(variedRequests(8).map((request) => engine.generate(request)));
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('the loop', () => {
  it('refuses new prompts when too many wait', async () => {
    const { engine } = tinyEngine({ maxWaiting: 2 });
    const request = generationRequest(models[0]!, prompt(4, 1));
    const accepted = [engine.generate(request), engine.generate(request)];
    await expect(engine.generate(request)).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await Promise.all(accepted)).toHaveLength(2);
  });

  it('computes one pass for all that run: 8 requests of 4 tokens take as many iterations as one', async () => {
    const { engine, iterations } = tinyEngine();
    const request = (seed: bigint) => generationRequest(models[0]!, prompt(4, 1), { seed, maxTokens: 4 });
    await Promise.all(Array.from({ length: 8 }, (_, i) => engine.generate(request(BigInt(i)))));
    expect(iterations).toEqual([32, 8, 8, 8]);
  });

  it('reports the first token of a prompt once, however many choices it has', async () => {
    const { engine, firstTokens } = tinyEngine();
    await engine.generate(generationRequest(models[0]!, prompt(4, 1), { maxTokens: 5 }, { n: 3 }));
    expect(firstTokens).toHaveLength(1);
  });

  it('stands still for work that is done aside, and for no longer than it may', async () => {
    let seconds = 0;
    const { engine, iterations } = tinyEngine({}, () => seconds);
    const running = engine.generate(generationRequest(models[0]!, prompt(4, 1), { maxTokens: 9 }));
    await turns(3);
    const begun = iterations.length;
    await engine.aside(() => turns(20));
    expect(iterations).toHaveLength(begun);
    let hangs = () => {};
    const aside = engine.aside(() => new Promise<void>((resolve) => (hangs = resolve)));
    await turns(20);
    expect(iterations).toHaveLength(begun);
    seconds = 1;
    await running;
    hangs();
    await aside;
  });

  it('ends what is running with finish reason abort when it is stopped', async () => {
    const { engine } = tinyEngine();
    const running = engine.generate(generationRequest(models[0]!, prompt(4, 1), { maxTokens: 400 }));
    await turns(5);
    engine.stop();
    const { choices } = await running;
    expect(choices[0]!.finish).toEqual({ reason: 'abort', stopReason: null });
    expect(choices[0]!.tokens.length).toBeGreaterThan(2);
    const late = engine.generate(generationRequest(models[0]!, prompt(4, 1)));
    await expect(late).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('dies loudly at an unexpected error: every request fails, and so do later ones', async () => {
    const { engine, deaths } = tinyEngine();
    const broken = served('broken', { ...decoder, hidden: () => raise('lost the heap') });
    const results = [models[0]!, broken].map((model) => engine.generate(generationRequest(model, prompt(4, 1))));
    for (const result of await Promise.allSettled(results)) {
      expect(result.status === 'rejected' && result.reason).toBeInstanceOf(EngineDeadError);
    }
    expect(deaths.map(({ message }) => message)).toEqual(['lost the heap']);
    await expect(engine.generate(generationRequest(models[0]!, [1]))).rejects.toBeInstanceOf(EngineDeadError);
  });
});

function turns(count: number): Promise<void> {
  return count === 0
    ? Promise.resolve()
    : new Promise<void>((resolve) => setImmediate(resolve)).then(() => turns(count - 1));
}

function raise(message: string): never {
  throw new Error(message);
}
