import type { Manifest } from '../../contracts/checkpoint.ts';
import type { CheckpointExport } from '../../contracts/checkpoint-export.ts';
import { type CheckpointLayout, detectLayout } from '../../contracts/checkpoint-layout.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { vllmLoraRank } from '../runtimes/vllm-role.ts';
import { checkpointLabel } from './checkpoint-keys.ts';

/** Files that serving needs: weights, configuration and tokenizer. Training's own (optimizer, state, metadata) stay behind. */
const SERVED =
  /^(adapter_config\.json|adapter_model\.safetensors|config\.json|generation_config\.json|model[^/]*\.safetensors(\.index\.json)?|tokenizer[^/]*|special_tokens_map\.json|added_tokens\.json|vocab\.(json|txt)|merges\.txt|chat_template[^/]*)$/;

/** What is known of a checkpoint that is to be served. */
export interface Exportable {
  manifest: Manifest;
  spec: Pick<RunSpec, 'model'>;
  /** The model that it was trained from: a hub name with the commit, or its directory on this host. */
  baseModel: { name: string; revision: string | null };
  /** `adapter_config.json`; null for full weights. */
  adapter: { r: number; alpha: number } | null;
  /** Where the files will lie. */
  directory: string | undefined;
}

/** How a checkpoint is served; null where its weights are in a format that vLLM does not read. Pure. */
export function exportCheckpoint({
  manifest,
  spec,
  baseModel,
  adapter,
  directory,
}: Exportable): CheckpointExport | null {
  const layout = detectLayout(manifest.files.map(({ path }) => path));
  if (layout === undefined || layout.weights.format === 'torch') return null;
  const { model } = spec;
  const name = checkpointLabel(manifest).replaceAll('/', '-');
  const at = directory ?? `./${name}`;
  const command = [
    ...['vllm', 'serve', adapter === null ? at : baseModel.name],
    ...(adapter === null
      ? ['--served-model-name', name]
      : [
          ...(baseModel.revision === null ? [] : ['--revision', baseModel.revision]),
          '--enable-lora',
          '--max-lora-rank',
          `${vllmLoraRank(adapter.r)}`,
          '--lora-modules',
          `${name}=${at}`,
        ]),
    ...['--max-model-len', `${model.max_seq_length}`],
    ...['--dtype', model.bf16 ? 'bfloat16' : 'auto'],
  ];
  return {
    checkpoint: checkpointLabel(manifest),
    name,
    kind: adapter === null ? 'model' : 'adapter',
    base_model: adapter === null ? null : baseModel.name,
    lora: adapter,
    max_model_len: model.max_seq_length,
    directory: at,
    files: servedFiles(manifest, layout),
    command,
    command_line: command.map(quoted).join(' '),
    notes: notesOf(model, { isAdapter: adapter !== null, baseModel: baseModel.name }),
  };
}

/** Weights and tokenizer in one directory, as Hugging Face has them; of two files of one name that beside the weights counts. */
function servedFiles(manifest: Manifest, { weights, tokenizer }: CheckpointLayout): CheckpointExport['files'] {
  const { run, attempt, name } = manifest;
  const base = `/runs/${run}/checkpoints/${encodeURIComponent(`a${attempt}/${name}`)}/files/`;
  const found = new Map<string, CheckpointExport['files'][number]>();
  for (const folder of [weights.path, tokenizer].filter((each) => each !== null)) {
    const prefix = folder === '' ? '' : `${folder}/`;
    for (const { path, size, sha256 } of manifest.files) {
      const inner = path.slice(prefix.length);
      if (!path.startsWith(prefix) || !SERVED.test(inner) || found.has(inner)) continue;
      found.set(inner, { path: inner, size, sha256, url: base + path.split('/').map(encodeURIComponent).join('/') });
    }
  }
  return [...found.values()];
}

function notesOf(
  model: RunSpec['model'],
  { isAdapter, baseModel }: { isAdapter: boolean; baseModel: string },
): string[] {
  return [
    ...(isAdapter && baseModel.startsWith('/')
      ? [
          `The base model is a directory of the host that trained it (${baseModel}); elsewhere name where its copy lies.`,
        ]
      : []),
    ...(model.use_4bit
      ? [
          'It was trained on weights in 4 bits (QLoRA). The base model in full precision serves it well; --quantization bitsandbytes serves it as it was trained, in less memory.',
        ]
      : []),
    ...(isAdapter || model.bf16
      ? []
      : [
          'Its weights are float32, which --dtype auto turns into float16; --dtype float32 serves them as they are, in twice the memory.',
        ]),
  ];
}

/** For a POSIX shell. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}
