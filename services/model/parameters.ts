import type { ModelConfig } from '../contracts/model-config.ts';

/** One weight of a model, under its Hugging Face name and with its shape on disk (projections are [out, in]). */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
}

/** The seven projections of a layer that LoRA can adapt, in the order they are applied. */
export const PROJECTIONS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;
export type Projection = (typeof PROJECTIONS)[number];

/** Every weight the decoder needs, in the order of the forward pass. Tied models have no `lm_head.weight`. */
export function parameterSpecs(config: ModelConfig): ParameterSpec[] {
  const { hiddenSize, vocabSize } = config;
  const specs: ParameterSpec[] = [{ name: 'model.embed_tokens.weight', shape: [vocabSize, hiddenSize] }];
  for (let layer = 0; layer < config.layers; layer++) specs.push(...layerSpecs(config, layer));
  specs.push({ name: 'model.norm.weight', shape: [hiddenSize] });
  if (!config.tieWordEmbeddings) specs.push({ name: 'lm_head.weight', shape: [vocabSize, hiddenSize] });
  return specs;
}

/** Path of a projection module: `model.layers.0.self_attn.q_proj`. */
export function modulePath(layer: number, projection: Projection): string {
  const block = projection.endsWith('proj') && 'qkvo'.includes(projection.charAt(0)) ? 'self_attn' : 'mlp';
  return `model.layers.${layer}.${block}.${projection}`;
}

/** Input and output size of a projection. */
export function projectionSize(
  config: ModelConfig,
  projection: Projection,
): { readonly in: number; readonly out: number } {
  const { hiddenSize, intermediateSize, headDim } = config;
  switch (projection) {
    case 'q_proj':
      return { in: hiddenSize, out: config.heads * headDim };
    case 'k_proj':
    case 'v_proj':
      return { in: hiddenSize, out: config.kvHeads * headDim };
    case 'o_proj':
      return { in: config.heads * headDim, out: hiddenSize };
    case 'gate_proj':
    case 'up_proj':
      return { in: hiddenSize, out: intermediateSize };
    case 'down_proj':
      return { in: intermediateSize, out: hiddenSize };
  }
}

function layerSpecs(config: ModelConfig, layer: number): ParameterSpec[] {
  const prefix = `model.layers.${layer}`;
  const specs: ParameterSpec[] = [{ name: `${prefix}.input_layernorm.weight`, shape: [config.hiddenSize] }];
  for (const projection of PROJECTIONS) {
    if (projection === 'gate_proj') {
      specs.push({ name: `${prefix}.post_attention_layernorm.weight`, shape: [config.hiddenSize] });
    }
    const size = projectionSize(config, projection);
    const path = modulePath(layer, projection);
    specs.push({ name: `${path}.weight`, shape: [size.out, size.in] });
    if (hasBias(config, projection)) specs.push({ name: `${path}.bias`, shape: [size.out] });
    if (config.qkNorm && (projection === 'q_proj' || projection === 'k_proj')) {
      specs.push({ name: `${prefix}.self_attn.${projection.charAt(0)}_norm.weight`, shape: [config.headDim] });
    }
  }
  return specs;
}

function hasBias(config: ModelConfig, projection: Projection): boolean {
  if (projection === 'o_proj') return config.bias.output;
  return 'qkv'.includes(projection.charAt(0)) ? config.bias.qkv : config.bias.mlp;
}
