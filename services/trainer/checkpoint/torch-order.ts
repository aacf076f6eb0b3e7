/** Modules of a decoder layer in the order in which transformers declares them, and torch therefore counts their parameters. */
const WITHIN_LAYER = [
  'self_attn.q_proj',
  'self_attn.k_proj',
  'self_attn.v_proj',
  'self_attn.o_proj',
  'self_attn.q_norm',
  'self_attn.k_norm',
  'mlp.gate_proj',
  'mlp.up_proj',
  'mlp.down_proj',
  'input_layernorm',
  'post_attention_layernorm',
];
const PARTS = ['lora_A.weight', 'lora_B.weight', 'weight', 'bias'];
const OUTSIDE = ['model.embed_tokens.weight', 'model.norm.weight', 'lm_head.weight'];

/**
 * The parameters that are trained in the order of `model.named_parameters()` in transformers and PEFT, in which an optimizer counts them that was not
 * told their names. It is neither the order of the forward pass nor that of the file. Names of another model stay as they are.
 */
export function torchOrder<P extends { readonly name: string }>(parameters: readonly P[]): P[] {
  const places = parameters.map((parameter) => ({ parameter, place: placeOf(parameter.name) }));
  const known = places.filter((each): each is { parameter: P; place: number[] } => each.place !== null);
  if (known.length < places.length) return [...parameters];
  return known.sort((a, b) => compare(a.place, b.place)).map(({ parameter }) => parameter);
}

/** Whether the Hugging Face Trainer puts a parameter into its first group, which decays: all but biases and norms. */
export function decays(name: string): boolean {
  return !/(^|[._])bias$|norm/.test(name);
}

function placeOf(written: string): number[] | null {
  const name = written.replace(/^base_model\.model\./, '');
  const outside = OUTSIDE.indexOf(name);
  if (outside >= 0) return [outside];
  const match = /^model\.layers\.(\d+)\.(.+?)\.(lora_[AB]\.weight|weight|bias)$/.exec(name);
  const [within, part] = [WITHIN_LAYER.indexOf(match?.[2] ?? ''), PARTS.indexOf(match?.[3] ?? '')];
  // Layers come after the embedding and before the last norm.
  return within < 0 || part < 0 ? null : [0.5, Number(match?.[1]), within, part];
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
