import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ModelError } from '../contracts/model-error.ts';
import type { LoraConfig, LoraWeights } from './lora.ts';
import { openSafetensors, type TensorData, writeSafetensors } from './safetensors.ts';
import { resolveTargetModules } from './target-modules.ts';
import { readJson } from './weights.ts';

/** An adapter directory as read. */
export interface PeftAdapter {
  readonly config: LoraConfig;
  readonly baseModel: string | undefined;
  readonly weights: LoraWeights;
}

type Json = Readonly<Record<string, unknown>>;

/** Fields that change what an adapter computes, with the only value the engine (and vLLM's reader) computes. */
const REQUIRED_VALUES: readonly (readonly [key: string, value: unknown])[] = [
  ['bias', 'none'],
  ['lora_bias', false],
  ['use_dora', false],
  ['use_qalora', false],
  ['fan_in_fan_out', false],
  ['modules_to_save', null],
  ['layers_to_transform', null],
  ['layer_replication', null],
  ['trainable_token_indices', null],
  ['target_parameters', null],
];

/**
 * Writes `adapter_config.json` and `adapter_model.safetensors` (float32) as PEFT and vLLM load them. Same input, same bytes.
 * Write into a fresh directory and rename it: a reader must never see half an adapter.
 */
export async function writePeftAdapter(
  dir: string,
  adapter: { readonly config: LoraConfig; readonly weights: LoraWeights; readonly baseModel: string },
): Promise<void> {
  const { config } = adapter;
  const json = {
    base_model_name_or_path: adapter.baseModel,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: config.r,
    target_modules: config.targetModules,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: config.rslora ?? false,
  };
  await writeFile(path.join(dir, 'adapter_config.json'), `${JSON.stringify(json, null, 2)}\n`);
  await writeSafetensors(path.join(dir, 'adapter_model.safetensors'), adapter.weights, { dtype: 'F32' });
}

/**
 * Reads an adapter that PEFT or `writePeftAdapter` wrote. `createLora` checks it against a base model.
 * @throws ModelError `invalid_adapter` for a method other than plain LoRA on the seven projections.
 */
export async function readPeftAdapter(dir: string): Promise<PeftAdapter> {
  const json = (await readJson(path.join(dir, 'adapter_config.json'))) as Json;
  const config = parseConfig(json, dir);
  const file = await openSafetensors(path.join(dir, 'adapter_model.safetensors'));
  try {
    const weights = new Map<string, TensorData>();
    for (const [name, { shape }] of file.tensors) weights.set(name, { shape, data: await file.readFloats(name) });
    const baseModel = json['base_model_name_or_path'];
    return { config, baseModel: typeof baseModel === 'string' ? baseModel : undefined, weights };
  } finally {
    await file.close();
  }
}

function parseConfig(json: Json, dir: string): LoraConfig {
  if (json['peft_type'] !== 'LORA')
    throw invalid(dir, `peft_type is ${JSON.stringify(json['peft_type'])}; LORA is supported`);
  for (const [key, value] of REQUIRED_VALUES) {
    const found = json[key] ?? value;
    if (found !== value)
      throw invalid(dir, `${key} is ${JSON.stringify(found)}; only ${JSON.stringify(value)} is supported`);
  }
  for (const key of ['rank_pattern', 'alpha_pattern']) {
    if (Object.keys(json[key] ?? {}).length > 0)
      throw invalid(dir, `${key} is not supported: use one r and one lora_alpha`);
  }
  const [r, alpha, dropout] = [json['r'], json['lora_alpha'], json['lora_dropout'] ?? 0];
  if (typeof r !== 'number' || !Number.isInteger(r) || r < 1)
    throw invalid(dir, `r must be a positive integer, got ${JSON.stringify(r)}`);
  if (typeof alpha !== 'number' || !(alpha > 0))
    throw invalid(dir, `lora_alpha must be positive, got ${JSON.stringify(alpha)}`);
  if (typeof dropout !== 'number' || !(dropout >= 0 && dropout < 1)) {
    throw invalid(dir, `lora_dropout must be in [0, 1), got ${JSON.stringify(dropout)}`);
  }
  const rslora = json['use_rslora'] === true;
  return { r, alpha, dropout, targetModules: resolveTargetModules(targetsOf(json)), ...(rslora && { rslora }) };
}

/** PEFT saves `all-linear` as full module paths; `createLora` finds out whether a layer is left out. */
function targetsOf(json: Json): 'all-linear' | readonly string[] {
  const targets = json['target_modules'];
  if (targets === 'all-linear') return targets;
  const list = Array.isArray(targets) ? targets : [targets];
  return list.map((target) => String(target).split('.').at(-1)!);
}

function invalid(dir: string, problem: string): ModelError {
  return new ModelError('invalid_adapter', `${dir}/adapter_config.json: ${problem}`);
}
