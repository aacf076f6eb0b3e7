import { describe, expect, test } from 'vitest';
import { adviceLine, adviseMemory, frugalSettings, memoryBlock } from './memory-advice.ts';
import { mergeSpecs, resolveRunSpec } from './resolve-run-spec.ts';
import type { RunSpec } from './run-spec.ts';
import { estimateMemory, largestMicroBatch } from './training-memory.ts';

const sizes = {
  ...{ vocabSize: 32_000, hiddenSize: 512, intermediateSize: 1408, layers: 8, heads: 8, kvHeads: 4, headDim: 64 },
  ...{ tieWordEmbeddings: true, qkNorm: true },
};
function spec(written: Record<string, unknown> = {}): RunSpec {
  const resolved = resolveRunSpec(mergeSpecs({ method: 'sft', model: { name: 'm' } }, written));
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.spec;
}
const wasm = (limitBytes: number) => ({ engine: 'wasm', limitBytes }) as const;
const bytes = (written: Record<string, unknown>) => estimateMemory(sizes, spec(written)).engineBytes;

test('the parts add up, and what does not depend on the batch is what is left of none', () => {
  const { engine, engineBytes, fixedBytes } = estimateMemory(sizes, spec());
  const sum = Object.values(engine).reduce((total, part) => total + part, 0);
  expect(Math.abs(sum - engineBytes)).toBeLessThan(10);
  const none = estimateMemory(sizes, spec(), { tokens: 0, completionTokens: 0 });
  expect(none.engineBytes).toBe(fixedBytes);
});

test.each([
  ['smaller micro-batches', { training: { micro_batch_tokens: 2048 } }],
  ['layers computed again', { training: { gradient_checkpointing: true } }],
  ['weights in 4 bits', { model: { use_4bit: true } }],
  ['a lower rank', { model: { lora: { r: 8 } } }],
  ['fewer targets', { model: { lora: { target_modules: ['q_proj'] } } }],
  ['shorter sequences', { model: { max_seq_length: 512 }, training: { micro_batch_tokens: 512 } }],
])('%s take less', (_, written) => {
  expect(bytes(written)).toBeLessThan(bytes({}));
});

test('full weights with a reference take most', () => {
  expect(bytes({ model: { use_lora: false } })).toBeLessThan(bytes({ method: 'dpo', model: { use_lora: false } }));
});

test('the largest micro-batch is what the limits and the method allow', () => {
  const tokens = (written: Record<string, unknown>) => largestMicroBatch(spec(written)).tokens;
  expect(tokens({ training: { batch_size: 1 } })).toBe(2048);
  expect(tokens({ training: { batch_size: 8 } })).toBe(4096);
  expect(tokens({ training: { batch_size: 1 }, sft: { packing: true } })).toBe(4096);
  expect(tokens({ training: { micro_batch_tokens: 100 } })).toBe(2048);
  expect(tokens({ method: 'dpo', training: { batch_size: 1, micro_batch_tokens: 100 } })).toBe(4096);
  expect(
    tokens({ method: 'grpo', rollout: { num_rollouts: 2 }, training: { batch_size: 1, micro_batch_tokens: 9999 } }),
  ).toBe(4096);
});

describe('advice', () => {
  const all = estimateMemory(sizes, spec()).engineBytes;

  test('names each setting that makes it fit by itself, and what it then takes', () => {
    const advice = adviseMemory(sizes, spec(), wasm(0.8 * all));
    expect(advice).toMatchObject({ fits: false, hopeless: false });
    for (const { neededBytes } of advice.remedies) expect(neededBytes).toBeLessThanOrEqual(0.8 * all);
    const settings = advice.remedies.map(({ setting }) => setting);
    expect(settings).toContain('training.micro_batch_tokens: 2048');
    expect(settings).toContain('training.gradient_checkpointing: true');
    expect(adviceLine(advice)).toMatch(/^Memory: .* set training.micro_batch_tokens: 2048 \(\d+ MiB\), or /);
  });

  test('puts settings together where none does alone', () => {
    const least = bytes({
      model: { max_seq_length: 256, use_4bit: true },
      training: { gradient_checkpointing: true, micro_batch_tokens: 256 },
    });
    const { remedies } = adviseMemory(sizes, spec(), wasm(1.3 * least));
    expect(remedies).toHaveLength(1);
    expect(remedies[0]!.setting).toMatch(/^training.gradient_checkpointing: true, .*model.max_seq_length: \d+ with/);
    expect(remedies[0]!.neededBytes).toBeLessThanOrEqual(1.3 * least);
  });

  test('has none where nothing helps, and says nothing where it fits', () => {
    expect(adviseMemory(sizes, spec(), wasm(1000))).toMatchObject({ hopeless: true, remedies: [] });
    const fitting = adviseMemory(sizes, spec(), wasm(2 * all));
    expect(fitting).toMatchObject({ fits: true, remedies: [] });
    expect(memoryBlock(fitting)).toMatch(/^Memory: about \d+ MiB of the trainer's \d+ MiB\n {2}Weights: \d+ MiB\n/);
    expect(frugalSettings(sizes, spec()).map(({ setting }) => setting)).toContain('model.lora.r: 32');
  });
});
