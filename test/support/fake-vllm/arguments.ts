import { parseArgs } from 'node:util';
import { parseServerArguments, type ServerArguments } from '../../../services/inference/arguments.ts';

/** The options of `vllm serve` that are known here: one that vLLM does not have, or that nobody has looked up, is refused. */
const OPTIONS = {
  'served-model-name': { type: 'string' },
  host: { type: 'string' },
  port: { type: 'string' },
  'tensor-parallel-size': { type: 'string' },
  'data-parallel-size': { type: 'string' },
  'api-server-count': { type: 'string' },
  'max-model-len': { type: 'string' },
  dtype: { type: 'string' },
  quantization: { type: 'string' },
  seed: { type: 'string' },
  'gpu-memory-utilization': { type: 'string' },
  'enable-lora': { type: 'boolean' },
  'max-lora-rank': { type: 'string' },
  'lora-modules': { type: 'string', multiple: true },
  'max-loras': { type: 'string' },
  'max-cpu-loras': { type: 'string' },
  'logprobs-mode': { type: 'string' },
  'generation-config': { type: 'string' },
  'enable-sleep-mode': { type: 'boolean' },
  'disable-uvicorn-access-log': { type: 'boolean' },
} as const;

const CHOICES: Readonly<Record<string, readonly string[]>> = {
  'max-lora-rank': ['1', '8', '16', '32', '64', '128', '256', '320', '512'],
  'logprobs-mode': ['raw_logprobs', 'processed_logprobs', 'raw_logits', 'processed_logits'],
  quantization: ['bitsandbytes'],
  dtype: ['auto', 'bfloat16', 'float16', 'float32', 'half', 'float'],
};

/** How the fake was started. */
export interface FakeSettings {
  readonly server: ServerArguments;
  /** Logprobs before the temperature, which is vLLM's default. */
  readonly rawLogprobs: boolean;
  readonly canSleep: boolean;
  readonly devMode: boolean;
  readonly runtimeLora: boolean;
}

/** Reads a command line as the control plane writes it: `vllm serve <model> ...`, and the variables beside it. */
export function parseCommand(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): FakeSettings {
  const { values, positionals } = parseArgs({ args: [...command], options: OPTIONS, allowPositionals: true });
  const [program, verb, model, ...more] = positionals;
  if (program !== 'vllm' || verb !== 'serve' || model === undefined || more.length > 0) {
    throw new Error(`vllm: error: expected \`vllm serve <model>\`, got: ${positionals.join(' ')}`);
  }
  for (const [name, known] of Object.entries(CHOICES)) {
    const value = values[name as keyof typeof values];
    if (value !== undefined && !known.includes(String(value))) {
      throw new Error(
        `vllm serve: error: argument --${name}: invalid choice: '${String(value)}' (choose from ${known.join(', ')})`,
      );
    }
  }
  const loras = Number(values['max-loras'] ?? 1);
  if (Number(values['max-cpu-loras'] ?? loras) < loras) throw new Error('max_cpu_loras must be >= max_loras');
  const server = parseServerArguments([
    ...['--model', model, '--served-model-name', values['served-model-name'] ?? model],
    ...['--host', values.host ?? '127.0.0.1', '--port', values.port ?? '8000'],
    ...(values['max-model-len'] === undefined ? [] : ['--max-model-len', values['max-model-len']]),
    ...(values.quantization === undefined ? [] : ['--quantization', values.quantization]),
    ...(values['enable-lora'] ? ['--enable-lora'] : []),
    ...(values['lora-modules'] ?? []).flatMap((module) => ['--lora-modules', module]),
    ...['--max-lora-rank', values['max-lora-rank'] ?? '16', '--max-loras', `${loras}`],
  ]);
  return {
    server,
    rawLogprobs: values['logprobs-mode'] !== 'processed_logprobs',
    canSleep: values['enable-sleep-mode'] ?? false,
    devMode: isSet(env['VLLM_SERVER_DEV_MODE']),
    runtimeLora: isSet(env['VLLM_ALLOW_RUNTIME_LORA_UPDATING']),
  };
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && ['1', 'true'].includes(value.toLowerCase());
}
