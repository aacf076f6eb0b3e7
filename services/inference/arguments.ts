import { parseArgs } from 'node:util';

/** How the server is started; vLLM's names where it has them. */
export interface ServerArguments {
  readonly model: string;
  readonly servedModelName: string;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Tokens of prompt and completion together; null: what the model was made for. */
  readonly maxModelLen: number | null;
  readonly enableLora: boolean;
  readonly maxLoraRank: number;
  readonly maxLoras: number;
  /** Adapters that are served from the start, by name. */
  readonly loraModules: Readonly<Record<string, string>>;
  /** Compute with the values that the base model's projections have in 4 bits (NF4). */
  readonly quantised: boolean;
  readonly adaptersRoot: string | null;
  readonly readyFile: string | null;
  readonly maxNumSeqs: number;
  readonly maxNumBatchedTokens: number;
  readonly kvCacheMemoryBytes: number;
}

/** A command line that makes no sense; the message names the argument and the remedy. */
export class ArgumentError extends Error {}

const OPTIONS = {
  model: { type: 'string' },
  'served-model-name': { type: 'string' },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string', default: '8000' },
  'max-model-len': { type: 'string' },
  'enable-lora': { type: 'boolean', default: false },
  'max-lora-rank': { type: 'string', default: '16' },
  'max-loras': { type: 'string', default: '1' },
  'lora-modules': { type: 'string', multiple: true, default: [] as string[] },
  quantization: { type: 'string' },
  'adapters-root': { type: 'string' },
  'ready-file': { type: 'string' },
  'max-num-seqs': { type: 'string', default: '256' },
  'max-num-batched-tokens': { type: 'string', default: '512' },
  'kv-cache-memory-bytes': { type: 'string', default: String(2 ** 30) },
} as const;

/** @throws ArgumentError */
export function parseServerArguments(argv: readonly string[]): ServerArguments {
  const values = parse(argv);
  const { model } = values;
  if (!model) throw new ArgumentError('--model is missing: give the directory of a Hugging Face model');
  const integer = (name: keyof typeof OPTIONS, minimum: number, maximum = Number.MAX_SAFE_INTEGER) => {
    const text = String(values[name]);
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= minimum && value <= maximum) return value;
    throw new ArgumentError(`--${name} must be an integer from ${minimum} to ${maximum}, got '${text}'`);
  };
  return {
    model,
    servedModelName: values['served-model-name'] ?? model,
    host: values.host,
    port: integer('port', 0, 65_535),
    maxModelLen: values['max-model-len'] === undefined ? null : integer('max-model-len', 2),
    enableLora: values['enable-lora'],
    maxLoraRank: integer('max-lora-rank', 1),
    maxLoras: integer('max-loras', 1),
    loraModules: readLoraModules(values['lora-modules'], values['enable-lora']),
    quantised: isBitsandbytes(values.quantization),
    adaptersRoot: values['adapters-root'] ?? null,
    readyFile: values['ready-file'] ?? null,
    maxNumSeqs: integer('max-num-seqs', 1),
    maxNumBatchedTokens: integer('max-num-batched-tokens', 1),
    kvCacheMemoryBytes: integer('kv-cache-memory-bytes', 1),
  };
}

function readLoraModules(written: readonly string[], enabled: boolean): Record<string, string> {
  if (written.length > 0 && !enabled) throw new ArgumentError('--lora-modules needs --enable-lora');
  const pairs = written.map((module) => {
    const [, name, directory] = /^([^=]+)=(.+)$/.exec(module) ?? [];
    if (name !== undefined && directory !== undefined) return [name, directory] as const;
    throw new ArgumentError(`--lora-modules must be <name>=<directory>, once for each adapter; got '${module}'`);
  });
  return Object.fromEntries(pairs);
}

/** vLLM's name for 4-bit weights made when a model is loaded, which it makes as NF4 with double quantisation. */
function isBitsandbytes(quantization: string | undefined): boolean {
  if (quantization === undefined || quantization === 'bitsandbytes') return quantization !== undefined;
  throw new ArgumentError(`--quantization must be bitsandbytes, got '${quantization}'`);
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (error) {
    const known = Object.keys(OPTIONS).map((name) => `--${name}`);
    const [reason] = (error instanceof Error ? error.message : String(error)).split('. ', 1);
    throw new ArgumentError(`${reason}. Arguments: ${known.join(' ')}`);
  }
}
