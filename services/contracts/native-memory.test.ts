import { expect, test } from 'vitest';
import { adviceLine, adviseMemory, memoryBlock } from './memory-advice.ts';
import { estimateNativeMemory } from './native-memory.ts';
import { mergeSpecs, resolveRunSpec } from './resolve-run-spec.ts';
import type { RunSpec } from './run-spec.ts';

/** Of Qwen2.5-1.5B. */
const sizes = {
  ...{ vocabSize: 151_936, hiddenSize: 1536, intermediateSize: 8960, layers: 28, heads: 12, kvHeads: 2, headDim: 128 },
  ...{ tieWordEmbeddings: true, qkNorm: false },
};
const short = { model: { name: 'm', max_seq_length: 512 }, training: { micro_batch_tokens: 512 } };
function spec(written: Record<string, unknown> = {}): RunSpec {
  const resolved = resolveRunSpec(mergeSpecs({ method: 'sft', ...short }, written));
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.spec;
}
const bytes = (written: Record<string, unknown>) => estimateNativeMemory(sizes, spec(written)).engineBytes;
const node = (limitBytes: number) => ({ engine: 'node', limitBytes }) as const;

test('weights lie once, and a model that wasm has no room for is trained in the memory of the machine', () => {
  const { engine } = estimateNativeMemory(sizes, spec());
  const floats = 28 * (2 * 1536 * 1536 + 2 * 1536 * 256 + 3 * 1536 * 8960) + 151_936 * 1536;
  expect(engine).toMatchObject({ weights: 4 * floats, copies: 0 });
  expect(adviseMemory(sizes, spec())).toMatchObject({ fits: false, hopeless: true });
  expect(adviseMemory(sizes, spec(), node(16 * 2 ** 30))).toMatchObject({ fits: true, remedies: [] });
});

test.each([
  ['smaller micro-batches', { model: { max_seq_length: 256 }, training: { micro_batch_tokens: 256 } }],
  ['layers computed again', { training: { gradient_checkpointing: true } }],
  ['weights in 4 bits', { model: { use_4bit: true } }],
  ['a lower rank', { model: { lora: { r: 8 } } }],
])('%s take less', (_, written) => {
  expect(bytes(written)).toBeLessThan(bytes({}));
});

test('without our operations the softmax of short sequences is kept: where longer ones may be, the worse of the two counts', () => {
  const long = spec({ model: { max_seq_length: 2048 }, training: { micro_batch_tokens: 2048 } });
  const bytesOf = (fused: boolean, length?: number) =>
    estimateNativeMemory(sizes, long, { fused, ...(length !== undefined && { length }) }).engineBytes;
  expect(bytesOf(false)).toBe(Math.max(bytesOf(false, 512), bytesOf(false, 2048)));
  expect(bytesOf(false, 512)).toBeGreaterThan(bytesOf(false, 2048));
  expect(bytesOf(true, 512)).toBe(bytesOf(true, 2048));
});

test('on processor cores the optimizer has to fit into the same memory, on a GPU it does not', () => {
  const full = spec({ model: { use_lora: false } });
  const { engineBytes, hostBytes } = estimateNativeMemory(sizes, full);
  const limitBytes = engineBytes + hostBytes / 2;
  expect(estimateNativeMemory(sizes, full, { fused: false }).engineBytes).toBeGreaterThan(engineBytes);
  const onCores = adviseMemory(sizes, full, node(limitBytes));
  expect(onCores).toMatchObject({ neededBytes: engineBytes + hostBytes, fits: false });
  expect(memoryBlock(onCores)).toContain('Optimizer and sums of gradients, beside the engine, of the same memory: ');
  const onGpu = adviseMemory(sizes, full, { engine: 'gpu', limitBytes });
  expect(onGpu.neededBytes).toBe(onGpu.estimate.engineBytes);
});

test('a GPU whose size nobody knows is no limit', () => {
  const advice = adviseMemory(sizes, spec(), { engine: 'gpu', limitBytes: Number.POSITIVE_INFINITY });
  expect(adviceLine(advice)).toMatch(/^Memory: about \d+ MiB$/);
});
