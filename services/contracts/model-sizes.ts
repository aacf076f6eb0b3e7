import type { ModelSizes } from './training-memory.ts';

/**
 * Sizes of a model from its `config.json`, with the field names of Hugging Face; null for a config that does not say them: the trainer, which knows
 * the architectures, explains that better.
 */
export function readModelSizes(config: Readonly<Record<string, unknown>>): ModelSizes | null {
  const size = (key: string): number => {
    const value = config[key];
    return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : Number.NaN;
  };
  const [hiddenSize, heads] = [size('hidden_size'), size('num_attention_heads')];
  const sizes = {
    vocabSize: size('vocab_size'),
    hiddenSize,
    intermediateSize: size('intermediate_size'),
    layers: size('num_hidden_layers'),
    heads,
    kvHeads: config['num_key_value_heads'] == null ? heads : size('num_key_value_heads'),
    headDim: config['head_dim'] == null ? hiddenSize / heads : size('head_dim'),
    tieWordEmbeddings: config['tie_word_embeddings'] === true,
    qkNorm: config['model_type'] === 'qwen3',
  };
  return Object.values(sizes).some(Number.isNaN) ? null : sizes;
}
