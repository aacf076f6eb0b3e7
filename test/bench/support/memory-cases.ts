/** A run whose memory is measured: sizes of its model, what of the spec matters, and a batch. */
export interface MemoryCase {
  readonly name: string;
  readonly model: {
    readonly layers: number;
    readonly hidden: number;
    readonly heads: number;
    readonly kvHeads: number;
    readonly headDim: number;
    readonly intermediate: number;
    readonly vocab_size: number;
    readonly maxPositions: number;
  };
  readonly tied: boolean;
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly method: 'sft' | 'grpo';
    readonly model: Readonly<Record<string, unknown>>;
  };
  readonly batch: { readonly sequences: number; readonly promptTokens: number; readonly completionTokens: number };
}

const small = {
  layers: 2,
  hidden: 64,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  intermediate: 160,
  vocab_size: 262,
  maxPositions: 4096,
};
const middle = {
  layers: 4,
  hidden: 256,
  heads: 8,
  kvHeads: 4,
  headDim: 32,
  intermediate: 704,
  vocab_size: 1024,
  maxPositions: 4096,
};
const wide = { ...middle, layers: 2, vocab_size: 16_000 };
const deep = { ...middle, layers: 10, hidden: 192, intermediate: 512 };
const lora = { use_lora: true, lora: { r: 16, alpha: 32 } };
const full = { use_lora: false };
const batch = { sequences: 8, promptTokens: 64, completionTokens: 64 };

const sft = (model: Record<string, unknown>, training: Record<string, unknown> = {}) =>
  ({ method: 'sft', model: { max_seq_length: 512, ...model }, training }) as const;

export const memoryCases: readonly MemoryCase[] = [
  { name: 'tiny, LoRA', model: small, tied: true, spec: sft(lora), batch: { ...batch, sequences: 16 } },
  { name: 'tiny, full weights', model: small, tied: true, spec: sft(full), batch },
  { name: '3 M, LoRA', model: middle, tied: true, spec: sft(lora), batch },
  {
    name: '3 M, LoRA with dropout',
    model: middle,
    tied: false,
    spec: sft({ ...lora, lora: { r: 64, alpha: 64, dropout: 0.1 } }),
    batch,
  },
  {
    name: '3 M, LoRA on q and v',
    model: middle,
    tied: true,
    spec: sft({ ...lora, lora: { r: 16, alpha: 32, target_modules: ['q_proj', 'v_proj'] } }),
    batch,
  },
  { name: '3 M, full weights', model: middle, tied: true, spec: sft(full), batch },
  {
    name: '3 M, full weights, layers again',
    model: middle,
    tied: true,
    spec: sft(full, { gradient_checkpointing: true }),
    batch,
  },
  { name: '3 M, QLoRA', model: middle, tied: false, spec: sft({ ...lora, use_4bit: true }), batch },
  { name: '4 M deep, LoRA', model: deep, tied: true, spec: sft(lora), batch },
  {
    name: '4 M deep, LoRA, layers again',
    model: deep,
    tied: true,
    spec: sft(lora, { gradient_checkpointing: true }),
    batch,
  },
  {
    name: '4 M deep, LoRA, small micro-batches',
    model: deep,
    tied: true,
    spec: sft(lora, { micro_batch_tokens: 256 }),
    batch,
  },
  {
    name: 'wide vocabulary, LoRA',
    model: wide,
    tied: true,
    spec: sft(lora),
    batch: { sequences: 8, promptTokens: 64, completionTokens: 192 },
  },
  { name: 'wide vocabulary, full weights', model: wide, tied: false, spec: sft(full), batch },
  {
    name: 'full weights with reference',
    model: middle,
    tied: true,
    spec: {
      method: 'grpo',
      model: { max_seq_length: 512, use_lora: false },
      rollout: { max_new_tokens: 64 },
      grpo: { kl_coef: 0.05 },
    },
    batch,
  },
];
