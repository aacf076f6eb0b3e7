import type { Engine } from '../../model/backend.ts';
import type { Tokenizer } from '../../model/tokenizer.ts';
import type { InferenceEngine } from '../engine/engine.ts';
import type { ModelRegistry, ServedModel } from '../engine/served-model.ts';
import { notFound } from './api-error.ts';
import type { TokenText } from './token-text.ts';

/** What the handlers work with. */
export interface ServingContext {
  readonly engine: InferenceEngine;
  /** The numeric engine beneath, where weights are loaded. */
  readonly numerics: Engine;
  readonly models: ModelRegistry;
  readonly tokenizer: Tokenizer;
  readonly tokenText: TokenText;
  readonly contextLength: number;
  /** Null when adapters are not enabled. */
  readonly adapters: { readonly maxRank: number } | null;
  /** The only place adapters and models are loaded from; null: anywhere. */
  readonly weightsRoot: string | null;
  /** Seconds since 1970. */
  readonly now: () => number;
}

/** The model a request names; without a name, the base model. @throws ApiError 404 */
export function requestedModel(models: ModelRegistry, name: string | null | undefined): ServedModel {
  if (name == null || name === '') return models.base;
  const model = models.get(name);
  if (model === undefined) throw notFound(`The model \`${name}\` does not exist.`, 'model');
  return model;
}
