import { z } from 'zod';
import { ModelError } from '../../contracts/model-error.ts';
import { EngineMemoryError } from '../../model/errors.ts';
import { createLora } from '../../model/lora.ts';
import { readPeftAdapter } from '../../model/peft.ts';
import { loadDecoder } from '../engine/load-decoder.ts';
import type { ServedModel } from '../engine/served-model.ts';
import { ApiError, notFound } from './api-error.ts';
import { parseRequest } from './parse-request.ts';
import { type ApiRequest, type Reply, type Route, text } from './route.ts';
import type { ServingContext } from './serving-context.ts';
import { resolveWeightsPath } from './weights-path.ts';

const loadAdapterRequest = z.looseObject({
  lora_name: z.string().nullish(),
  lora_path: z.string().nullish(),
  load_inplace: z.boolean().nullish(),
});
const loadModelRequest = z.looseObject({ model_name: z.string().nullish(), model_path: z.string().nullish() });

/** A kind of weights that comes and goes: how it is loaded, and what the messages call it. */
interface WeightKind {
  readonly kind: 'adapter' | 'model';
  readonly label: string;
  readonly nameField: string;
  readonly pathField: string;
  load(directory: string): Promise<Pick<ServedModel, 'decoder' | 'adapter'>>;
}

/**
 * Versioned weights: `/v1/load_lora_adapter` and `/v1/unload_lora_adapter` as vLLM has them, and the same for full models under
 * `/tandem/v1`. Success is plain text, not JSON. Unloading takes the name away at once and answers when the requests that still
 * use it are done; it holds up no other request.
 */
export function weightRoutes(context: ServingContext): Route[] {
  const loading = new Set<string>();
  const adapters: WeightKind = {
    kind: 'adapter',
    label: 'LoRA adapter',
    nameField: 'lora_name',
    pathField: 'lora_path',
    load: (directory) => loadAdapter(context, directory),
  };
  const models: WeightKind = {
    kind: 'model',
    label: 'model',
    nameField: 'model_name',
    pathField: 'model_path',
    load: (directory) => loadModel(context, directory),
  };

  async function handleLoadAdapter({ body }: ApiRequest): Promise<Reply> {
    const request = parseRequest(loadAdapterRequest, body);
    if (!context.adapters) throw invalidInput('LoRA is not enabled: start the server with --enable-lora');
    if (request.load_inplace) {
      throw invalidInput("'load_inplace' is not supported by this server: load the adapter under a new name");
    }
    return load(adapters, request.lora_name, request.lora_path);
  }

  async function handleLoadModel({ body }: ApiRequest): Promise<Reply> {
    const request = parseRequest(loadModelRequest, body);
    return load(models, request.model_name, request.model_path);
  }

  async function load(weights: WeightKind, name: string | null | undefined, path: string | null | undefined) {
    if (!name || !path) {
      throw invalidInput(`Both '${weights.nameField}' and '${weights.pathField}' must be provided.`);
    }
    if (context.models.get(name) !== undefined || loading.has(name)) throw invalidInput(alreadyLoaded(weights, name));
    loading.add(name);
    try {
      const directory = await resolveWeightsPath(path, context.weightsRoot);
      if (directory === null) throw missing(weights, name, path);
      const loaded = await context.engine.aside(() => loadOrExplain(weights, directory));
      context.models.add({ name, path, kind: weights.kind, created: Math.floor(context.now()), ...loaded });
    } finally {
      loading.delete(name);
    }
    return text(`Success: ${weights.label} '${name}' added successfully.`);
  }

  async function unload(weights: WeightKind, body: unknown): Promise<Reply> {
    const request = parseRequest(z.looseObject({ [weights.nameField]: z.string().nullish() }), body);
    const name = request[weights.nameField] as string | null | undefined;
    if (!name) throw invalidInput(`'${weights.nameField}' needs to be provided to unload a ${weights.label}.`);
    const served = context.models.get(name);
    if (served?.kind !== weights.kind) {
      throw notFound(`The ${weights.label.replace('LoRA', 'lora')} '${name}' cannot be found.`);
    }
    await context.models.remove(name);
    context.engine.forget(served);
    return text(`Success: ${weights.label} '${name}' removed successfully.`);
  }

  return [
    { method: 'POST', path: '/v1/load_lora_adapter', handle: handleLoadAdapter },
    { method: 'POST', path: '/v1/unload_lora_adapter', handle: ({ body }) => unload(adapters, body) },
    { method: 'POST', path: '/tandem/v1/load_model', handle: handleLoadModel },
    { method: 'POST', path: '/tandem/v1/unload_model', handle: ({ body }) => unload(models, body) },
  ];
}

/** Makes adapters known that the server is started with. @throws ModelError, EngineMemoryError, or the error of a directory that cannot be read */
export async function loadLoraModules(
  context: ServingContext,
  modules: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [name, path] of Object.entries(modules)) {
    const loaded = await loadAdapter(context, path);
    context.models.add({ name, path, kind: 'adapter', created: Math.floor(context.now()), ...loaded });
  }
}

async function loadAdapter({ models, adapters, numerics }: ServingContext, directory: string) {
  const { config, weights } = await readPeftAdapter(directory);
  const maxRank = adapters?.maxRank ?? 0;
  if (config.r > maxRank) {
    throw new ModelError('invalid_adapter', `LoRA rank ${config.r} is greater than max_lora_rank ${maxRank}.`);
  }
  numerics.checkMemory(...[...weights.values()].map(({ data }) => data.length * Float32Array.BYTES_PER_ELEMENT));
  const { decoder } = models.base;
  return { decoder, adapter: createLora(config, decoder.config, weights, false) };
}

async function loadModel({ models, numerics }: ServingContext, directory: string) {
  const decoder = await loadDecoder(numerics, directory);
  const [found, expected] = [decoder.config.vocabSize, models.base.decoder.config.vocabSize];
  if (found === expected) return { decoder, adapter: undefined };
  decoder.dispose();
  throw new ModelError(
    'vocabulary_mismatch',
    `${directory} has a vocabulary of ${found}, the served tokenizer belongs to a model with ${expected}`,
  );
}

/** vLLM answers 500 to an adapter it found but cannot use. */
async function loadOrExplain(weights: WeightKind, directory: string) {
  try {
    return await weights.load(directory);
  } catch (error) {
    if (!(error instanceof ModelError) && !(error instanceof EngineMemoryError)) throw error;
    throw new ApiError(500, 'InternalServerError', error.message);
  }
}

function alreadyLoaded({ kind, label }: WeightKind, name: string): string {
  const remedy =
    kind === 'adapter'
      ? "If you want to load the adapter in place, set 'load_inplace' to True."
      : 'Load it under a new name.';
  return `The ${label.replace('LoRA', 'lora')} '${name}' has already been loaded. ${remedy}`;
}

function missing({ kind }: WeightKind, name: string, path: string): ApiError {
  const [verb, thing] = kind === 'adapter' ? ['lora', 'adapter'] : ['model', 'model'];
  return notFound(`Loading ${verb} ${name} failed: No ${thing} found for ${path}`);
}

function invalidInput(message: string): ApiError {
  return new ApiError(400, 'InvalidUserInput', message);
}
