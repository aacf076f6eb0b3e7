import { expect, test } from 'vitest';
import { mergeSpecs, resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import { judgeMemory } from './judge-memory.ts';

/** The sizes of Qwen2.5-0.5B, and of a model ten times as large. */
const half = {
  ...{ model_type: 'qwen2', hidden_size: 896, intermediate_size: 4864, num_hidden_layers: 24, vocab_size: 151_936 },
  ...{ num_attention_heads: 14, num_key_value_heads: 2, max_position_embeddings: 32_768, tie_word_embeddings: true },
};
const large = { ...half, hidden_size: 4096, intermediate_size: 11_008, num_attention_heads: 32, num_hidden_layers: 32 };
const short = { model: { name: 'm', max_seq_length: 512 }, training: { micro_batch_tokens: 512 } };

function judged(config: Record<string, unknown> | null, written: Record<string, unknown> = {}) {
  const resolved = resolveRunSpec(mergeSpecs({ method: 'sft', ...short }, written));
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return judgeMemory(config, resolved.spec);
}

test('a model whose weights alone are too much is refused, and the setting that makes them fit is named', () => {
  const { issues } = judged(half);
  expect(issues).toEqual([
    { path: 'model.name', message: expect.stringMatching(/needs \d{4,} MiB of the 3584 MiB .*model\.use_4bit: true/) },
  ]);
});

test('sequences that may be too long are a warning with the settings and what each needs', () => {
  const long = { model: { use_4bit: true, max_seq_length: 512 }, training: { micro_batch_tokens: 1024 } };
  const { issues, warnings } = judged(half, long);
  expect(issues).toEqual([]);
  expect(warnings).toEqual([
    expect.stringMatching(/may need about \d+ MiB.*set training\.gradient_checkpointing: true.*\(\d+ MiB\)/),
  ]);
});

test('what no setting makes fit needs a smaller model', () => {
  expect(judged(large).issues[0]?.message).toMatch(/choose a smaller model$/);
});

test('what fits, what is not known, and what trainers of other kinds do is not judged', () => {
  const nothing = { issues: [], warnings: [] };
  expect(judged({ ...half, num_hidden_layers: 2, vocab_size: 1000 })).toEqual(nothing);
  expect(judged(null)).toEqual(nothing);
  expect(judged({ model_type: 'gpt2' })).toEqual(nothing);
  expect(judged(large, { trainer: 'image', trainer_image: 'trainer:1' })).toEqual(nothing);
});
