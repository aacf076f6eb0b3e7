import { expect, it } from 'vitest';
import type { Manifest } from '../../contracts/checkpoint.ts';
import { runSpecSchema } from '../../contracts/run-spec.ts';
import { type Exportable, exportCheckpoint } from './export-checkpoint.ts';

const sha256 = 'a'.repeat(64);
const manifestOf = (paths: readonly string[]): Manifest => ({
  ...{ schema: 'tandem.checkpoint/1', run: 'run-aaaaaaaa', attempt: 2, name: 'checkpoint-8', step: 8, epoch: 1 },
  ...{ created_at: '2026-11-20T09:00:00.000Z', purposes: ['step'], policy_version: 8, record: 9, best_metric: null },
  ...{ metrics: {}, inputs: {}, files: paths.map((path) => ({ path, size: 1, sha256 })) },
});
const specOf = (model: object) => runSpecSchema.parse({ model: { name: 'org/base', max_seq_length: 128, ...model } });
const lora = [
  'model/adapter_config.json',
  'model/adapter_model.safetensors',
  'model/config.json',
  'tokenizer/tokenizer.json',
  'tokenizer/config.json',
  'optimizer.pt',
  'training_state.json',
];
const exported = (change: Partial<Exportable> & { paths?: readonly string[] } = {}) =>
  exportCheckpoint({
    manifest: manifestOf(change.paths ?? lora),
    spec: specOf({}),
    baseModel: { name: 'org/base', revision: null },
    adapter: { r: 20, alpha: 40 },
    directory: undefined,
    ...change,
  });

it("serves an adapter on its base model, with room for the next of vLLM's ranks", () => {
  expect(exported()).toMatchObject({
    checkpoint: 'run-aaaaaaaa/a2/checkpoint-8',
    kind: 'adapter',
    command_line:
      'vllm serve org/base --enable-lora --max-lora-rank 32 --lora-modules run-aaaaaaaa-a2-checkpoint-8=./run-aaaaaaaa-a2-checkpoint-8 --max-model-len 128 --dtype auto',
    notes: [],
  });
});

it('names the files that serving needs, weights and tokenizer in one directory, and where they are', () => {
  const files = exported()?.files ?? [];
  expect(files.map(({ path }) => path)).toEqual([
    'adapter_config.json',
    'adapter_model.safetensors',
    'config.json',
    'tokenizer.json',
  ]);
  expect(files.map(({ url }) => url)[2]).toBe(
    '/runs/run-aaaaaaaa/checkpoints/a2%2Fcheckpoint-8/files/model/config.json',
  );
});

it('takes the adapters of PEFT, which lie in the root beside what only training needs', () => {
  const paths = ['adapter_config.json', 'adapter_model.safetensors', 'tokenizer.json', 'optimizer.pt', 'rng_state.pth'];
  expect(exported({ paths })?.files.map(({ path }) => path)).toEqual(paths.slice(0, 3));
});

it('serves full weights by themselves, and says that they are float32', () => {
  const paths = ['model/config.json', 'model/model-00001-of-00002.safetensors', 'model/model.safetensors.index.json'];
  expect(exported({ paths, adapter: null, directory: '/srv/my models' })).toMatchObject({
    kind: 'model',
    base_model: null,
    command_line:
      "vllm serve '/srv/my models' --served-model-name run-aaaaaaaa-a2-checkpoint-8 --max-model-len 128 --dtype auto",
    notes: [expect.stringContaining('--dtype float32')],
    files: [
      { path: 'config.json' },
      { path: 'model-00001-of-00002.safetensors' },
      { path: 'model.safetensors.index.json' },
    ],
  });
});

it('says how a QLoRA adapter is served, and where a base model is that only this host has', () => {
  expect(
    exported({ spec: specOf({ use_4bit: true, bf16: true }), baseModel: { name: '/srv/base', revision: null } }),
  ).toMatchObject({
    command: expect.arrayContaining(['bfloat16']),
    notes: [expect.stringContaining('(/srv/base)'), expect.stringContaining('--quantization bitsandbytes')],
  });
});

it('takes the very commit of a hub model that was trained on', () => {
  const { command } = exported({ baseModel: { name: 'org/base', revision: 'c0ffee' } }) ?? {};
  expect(command?.slice(2, 6)).toEqual(['org/base', '--revision', 'c0ffee', '--enable-lora']);
});

it('has no command for a pickle', () => {
  expect(exported({ paths: ['model.pt'], adapter: null })).toBeNull();
});
