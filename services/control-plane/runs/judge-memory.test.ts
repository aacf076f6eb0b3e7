import { expect, test } from 'vitest';
import { type EngineMemory, wasmMemory } from '../../contracts/native-memory.ts';
import { mergeSpecs, resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import { judgeMemory } from './judge-memory.ts';
import { trainerMemory } from './trainer-memory.ts';

/** The sizes of Qwen2.5-0.5B and 1.5B, and of a model ten times as large. */
const half = {
  ...{ model_type: 'qwen2', hidden_size: 896, intermediate_size: 4864, num_hidden_layers: 24, vocab_size: 151_936 },
  ...{ num_attention_heads: 14, num_key_value_heads: 2, max_position_embeddings: 32_768, tie_word_embeddings: true },
};
const middle = { ...half, hidden_size: 1536, intermediate_size: 8960, num_attention_heads: 12, num_hidden_layers: 28 };
const large = { ...half, hidden_size: 4096, intermediate_size: 11_008, num_attention_heads: 32, num_hidden_layers: 32 };
const short = { model: { name: 'm', max_seq_length: 512 }, training: { micro_batch_tokens: 512 } };

function judged(
  config: Record<string, unknown> | null,
  written: Record<string, unknown> = {},
  memory: EngineMemory | null = wasmMemory,
) {
  const resolved = resolveRunSpec(mergeSpecs({ method: 'sft', ...short }, written));
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return judgeMemory(config, resolved.spec, memory);
}

test('a model whose weights alone are too much is refused, and the setting that makes them fit is named', () => {
  const { issues } = judged(middle);
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

test('what no setting makes fit needs a smaller model, or TensorFlow', () => {
  expect(judged(large).issues[0]?.message).toMatch(
    /choose a smaller model, or train on TensorFlow.*install-tensorflow\.sh/,
  );
});

test('on TensorFlow the memory of the machine decides', () => {
  const node = (gibibytes: number) => ({ engine: 'node', limitBytes: gibibytes * 2 ** 30 }) as const;
  expect(judged(middle, {}, node(16))).toEqual({ issues: [], warnings: [] });
  expect(judged(half, {}, node(1)).issues[0]?.message).toMatch(
    /needs \d{4,} MiB of the 1024 MiB [^T]*use_4bit: true[^T]*$/,
  );
  expect(judged(large, {}, null)).toEqual({ issues: [], warnings: [] });
});

test('what a trainer will compute in is what TANDEM_TF says, else what is installed', () => {
  const host = (...files: string[]) => ({ exists: (path: string) => files.includes(path), memoryBytes: () => 2e9 });
  const [cpu, cuda] = ['/tf/cpu/tfjs_binding.node', '/tf/cuda/tfjs_binding.node'];
  const at = { TANDEM_TENSORFLOW_HOME: '/tf' };
  const node = { engine: 'node', limitBytes: 1.8e9 };
  expect(trainerMemory(at, host())).toBe(wasmMemory);
  expect(trainerMemory({}, host(cpu))).toBe(wasmMemory);
  expect(trainerMemory(at, host(cpu))).toEqual(node);
  expect(trainerMemory({ HOME: '/home/u' }, host('/home/u/.cache/tandem/tensorflow/cpu/tfjs_binding.node'))).toEqual(
    node,
  );
  expect(trainerMemory(at, host(cpu, cuda))).toBeNull();
  expect(trainerMemory({ ...at, TANDEM_TF: 'wasm' }, host(cpu))).toBe(wasmMemory);
  expect(trainerMemory({ TANDEM_TF: 'node' }, host())).toEqual(node);
  expect(trainerMemory({ TANDEM_TF: 'gpu' }, host())).toBeNull();
});

test('a trainer on cores in a container of its own judges its memory itself: that of this process is not its', () => {
  const at = { TANDEM_RUNTIME: 'docker', TANDEM_TENSORFLOW_HOME: '/tf' };
  const host = { exists: (path: string) => path === '/tf/cpu/tfjs_binding.node', memoryBytes: () => 2 ** 30 };
  expect(trainerMemory(at, host)).toBeNull();
  expect(trainerMemory({ ...at, TANDEM_TF: 'node' }, host)).toBeNull();
  expect(trainerMemory({ ...at, TANDEM_TF: 'wasm' }, host)).toBe(wasmMemory);
  expect(trainerMemory(at, { ...host, exists: () => false })).toBe(wasmMemory);
});

test('what fits, what is not known, and what trainers of other kinds do is not judged', () => {
  const nothing = { issues: [], warnings: [] };
  expect(judged({ ...half, num_hidden_layers: 2, vocab_size: 1000 })).toEqual(nothing);
  expect(judged(null)).toEqual(nothing);
  expect(judged({ model_type: 'gpt2' })).toEqual(nothing);
  expect(judged(large, { trainer: 'image', trainer_image: 'trainer:1' })).toEqual(nothing);
});
