import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEngine } from '../../model/backend.ts';
import type { Decoder } from '../../model/decoder.ts';
import { createLora, initialLoraWeights, type LoraAdapter } from '../../model/lora.ts';
import { PROJECTIONS } from '../../model/parameters.ts';
import { fillNormal } from '../../model/random.ts';
import { makeTinyModel } from '../../model/tiny-model.ts';
import { createInferenceEngine, type EngineLimits, type InferenceEngine } from '../engine/engine.ts';
import type { GenerationRequest } from '../engine/generation.ts';
import { loadDecoder } from '../engine/load-decoder.ts';
import type { SamplingOptions } from '../engine/sampling-options.ts';
import type { ServedModel } from '../engine/served-model.ts';

/** What `load` makes of a tiny model's directory, which is there until then. */
export async function ofTinyModel<T>(load: (directory: string) => Promise<T>, seed = 0): Promise<T> {
  const directory = await mkdtemp(path.join(tmpdir(), 'tandem-inference-'));
  try {
    await makeTinyModel(directory, { seed });
    return await load(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export async function tinyDecoder(seed = 0): Promise<Decoder> {
  const engine = await startEngine({ engine: 'wasm' });
  return ofTinyModel((directory) => loadDecoder(engine, directory), seed);
}

/** An adapter on all projections whose B is not zero, so that it changes what the model says. */
export function busyAdapter(decoder: Decoder, seed: number): LoraAdapter {
  const config = { r: 8, alpha: 16, dropout: 0, targetModules: PROJECTIONS };
  const weights = initialLoraWeights(config, decoder.config, seed);
  let index = 0;
  for (const [name, { data }] of weights) if (name.includes('lora_B')) fillNormal(data, 0.3, seed, ++index);
  return createLora(config, decoder.config, weights, false);
}

export function served(name: string, decoder: Decoder, adapter?: LoraAdapter): ServedModel {
  const kind = adapter ? 'adapter' : 'base';
  return { name, path: `/models/${name}`, kind, decoder, adapter, created: 0 };
}

export const roomyLimits: EngineLimits = {
  maxBatchedTokens: 2048,
  maxLoras: 4,
  maxSequences: 256,
  maxWaiting: 1024,
  kvCacheBytes: 256 * 2 ** 20,
};

/** An engine whose text is its token ids, with what it reported to its observer. */
export function tinyEngine(
  limits: Partial<EngineLimits> = {},
  now = () => 0,
): {
  readonly engine: InferenceEngine;
  readonly deaths: Error[];
  readonly iterations: number[];
  readonly firstTokens: number[];
  /** Prompt tokens looked up and found. */
  readonly lookups: [number, number][];
} {
  const deaths: Error[] = [];
  const iterations: number[] = [];
  const firstTokens: number[] = [];
  const lookups: [number, number][] = [];
  const engine = createInferenceEngine({
    limits: { ...roomyLimits, ...limits },
    decodeText: (tokens) => tokens.map((token) => `<${token}>`).join(''),
    observer: {
      iteration: (tokens) => void iterations.push(tokens),
      tokenDrawn: () => undefined,
      prefixLookedUp: (tokens, found) => void lookups.push([tokens, found]),
      firstToken: (after) => void firstTokens.push(after),
      finished: () => undefined,
    },
    now,
    onDeath: (error) => void deaths.push(error),
  });
  return { engine, deaths, iterations, firstTokens, lookups };
}

export function samplingOptions(options: Partial<SamplingOptions> = {}): SamplingOptions {
  return {
    temperature: 1,
    topK: 0,
    topP: 1,
    minP: 0,
    seed: 0n,
    maxTokens: 8,
    minTokens: 0,
    eosTokenIds: [],
    ignoreEos: false,
    stopTokenIds: [],
    stop: [],
    includeStopInOutput: false,
    skipSpecialTokens: true,
    logprobs: 0,
    promptLogprobs: null,
    ...options,
  };
}

export function generationRequest(
  model: ServedModel,
  prompt: readonly number[],
  options: Partial<SamplingOptions> = {},
  rest: Partial<Pick<GenerationRequest, 'n' | 'promptIndex' | 'signal' | 'onProgress' | 'cacheSalt'>> = {},
): GenerationRequest {
  return { model, prompt, promptIndex: 0, n: 1, options: samplingOptions(options), cacheSalt: null, ...rest };
}
