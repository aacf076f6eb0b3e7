import { countedBytes, type EngineMemory, estimateOn, wasmMemory } from './native-memory.ts';
import type { MemoryEstimate, MemorySpec, ModelSizes } from './training-memory.ts';

/** Whether a run fits the trainer's engine, and what would make it fit. */
export interface MemoryAdvice {
  readonly memory: EngineMemory;
  readonly estimate: MemoryEstimate;
  /** That have to fit into the memory. */
  readonly neededBytes: number;
  /** Of these, what no micro-batch is small enough to avoid. */
  readonly fixedBytes: number;
  readonly fits: boolean;
  /** No micro-batch is small enough: the weights and what belongs to them are too much. */
  readonly hopeless: boolean;
  /** Settings that make it fit, each by itself if there is one that does, else all together; empty when it fits, or nothing helps. */
  readonly remedies: readonly Remedy[];
}

export interface Remedy {
  /** As one writes it: `training.micro_batch_tokens: 512, training.gradient_checkpointing: true`. */
  readonly setting: string;
  /** That the run then needs. */
  readonly neededBytes: number;
}

type Change = readonly [setting: string, apply: (spec: MemorySpec) => MemorySpec];

/** Shorter than this few examples are. */
const SHORTEST = 256;
const SMALLEST_RANK = 8;

export function adviseMemory(sizes: ModelSizes, spec: MemorySpec, memory = wasmMemory): MemoryAdvice {
  const limit = memory.limitBytes;
  const estimate = estimateOn(memory, sizes, spec);
  const { all: neededBytes, fixed: fixedBytes } = countedBytes(memory, estimate);
  const fits = neededBytes <= limit;
  const need = needOn(memory, sizes);
  const kinds = fits ? [] : changesOf(spec);
  const single = kinds.flatMap((changes) => {
    const found = changes.find(([, apply]) => need(apply(spec)) <= limit);
    return found ? [{ setting: found[0], neededBytes: need(found[1](spec)) }] : [];
  });
  const remedies = fits || single.length > 0 ? single : together(spec, kinds, need, limit);
  return { memory, estimate, neededBytes, fixedBytes, fits, hopeless: !fits && fixedBytes > limit, remedies };
}

function needOn(memory: EngineMemory, sizes: ModelSizes): (spec: MemorySpec) => number {
  return (spec) => countedBytes(memory, estimateOn(memory, sizes, spec)).all;
}

/** Of each kind the gentlest change that needs less, whether it is needed or not: for a run that went out of memory though it should not have. */
export function frugalSettings(sizes: ModelSizes, spec: MemorySpec, memory = wasmMemory): Remedy[] {
  const need = needOn(memory, sizes);
  return changesOf(spec).flatMap((changes) => {
    const [setting, apply] = changes[0]!;
    const neededBytes = need(apply(spec));
    return neededBytes < need(spec) ? [{ setting, neededBytes }] : [];
  });
}

/**
 * Adds the strongest change of each kind, those that cost least first, until it fits; of the last kind the gentlest that does. Then takes back what was
 * not needed.
 */
function together(
  spec: MemorySpec,
  kinds: readonly (readonly Change[])[],
  need: (spec: MemorySpec) => number,
  limit: number,
): Remedy[] {
  const after = (changes: readonly Change[]) => need(changes.reduce((at, [, apply]) => apply(at), spec));
  let chosen: Change[] = [];
  for (const changes of kinds) {
    const enough = changes.find((change) => after([...chosen, change]) <= limit);
    chosen = [...chosen, enough ?? changes.at(-1)!];
    if (enough !== undefined) break;
  }
  if (after(chosen) > limit) return [];
  for (const change of chosen) {
    const without = chosen.filter((other) => other !== change);
    if (after(without) <= limit) chosen = without;
  }
  return [{ setting: chosen.map(([setting]) => setting).join(', '), neededBytes: after(chosen) }];
}

/** What can be changed, each from the smallest change to the largest; what costs time only comes first. */
function changesOf(spec: MemorySpec): Change[][] {
  const { training, model } = spec;
  const tokens = halves(training.micro_batch_tokens, SHORTEST).filter((value) => value >= model.max_seq_length);
  const smaller = tokens.map(
    (micro_batch_tokens): Change => [
      `training.micro_batch_tokens: ${micro_batch_tokens}`,
      (at) => ({ ...at, training: { ...at.training, micro_batch_tokens } }),
    ],
  );
  const again: Change = [
    'training.gradient_checkpointing: true',
    (at) => ({ ...at, training: { ...at.training, gradient_checkpointing: true } }),
  ];
  const fourBit: Change = ['model.use_4bit: true', (at) => ({ ...at, model: { ...at.model, use_4bit: true } })];
  const adapter: Change = ['model.use_lora: true', (at) => ({ ...at, model: { ...at.model, use_lora: true } })];
  const ranks = halves(model.lora.r, SMALLEST_RANK).map(
    (r): Change => [`model.lora.r: ${r}`, (at) => ({ ...at, model: { ...at.model, lora: { ...at.model.lora, r } } })],
  );
  const lengths = halves(model.max_seq_length, SHORTEST).map(
    (max_seq_length): Change => [
      `model.max_seq_length: ${max_seq_length} with training.micro_batch_tokens: ${Math.min(training.micro_batch_tokens, max_seq_length)}`,
      (at) => ({
        ...at,
        model: { ...at.model, max_seq_length },
        training: { ...at.training, micro_batch_tokens: Math.min(training.micro_batch_tokens, max_seq_length) },
      }),
    ],
  );
  return [
    smaller,
    training.gradient_checkpointing ? [] : [again],
    model.use_lora ? [] : [adapter],
    model.use_4bit ? [] : [model.use_lora ? fourBit : merge(adapter, fourBit)],
    model.use_lora ? ranks : [],
    lengths,
  ].filter((changes) => changes.length > 0);
}

function merge([one, first]: Change, [other, second]: Change): Change {
  return [`${one}, ${other}`, (at) => second(first(at))];
}

/** `from` halved again and again, down to `least`. */
function halves(from: number, least: number): number[] {
  const values: number[] = [];
  for (let value = Math.floor(from / 2); value >= least; value = Math.floor(value / 2)) values.push(value);
  return values;
}

/** One line that says whether it fits, and what to do if it does not. */
export function adviceLine({ memory, neededBytes, fits, remedies }: MemoryAdvice): string {
  const limit = Number.isFinite(memory.limitBytes) ? ` of the trainer's ${mebibytes(memory.limitBytes)}` : '';
  const size = `about ${mebibytes(neededBytes)}${limit}`;
  if (fits) return `Memory: ${size}`;
  return `Memory: sequences of full length may need ${size}: ${remedies.length === 0 ? 'use a smaller model' : `set ${listed(remedies)}`}`;
}

/** The parts of an estimate, one a line. */
export function memoryBlock(advice: MemoryAdvice): string {
  const { engine, hostBytes } = advice.estimate;
  const where = advice.memory.engine === 'node' ? 'beside the engine, of the same memory' : 'outside the engine';
  const names: [keyof MemoryEstimate['engine'], string][] = [
    ['weights', 'Weights'],
    ['copies', advice.memory.engine === 'wasm' ? 'Transposes and packed copies' : 'Unpacked weights'],
    ['adapter', 'Adapter'],
    ['gradients', 'Gradients'],
    ['activations', 'Activations of the largest micro-batch'],
    ['logits', 'Logits'],
  ];
  return [
    adviceLine(advice),
    ...names.filter(([key]) => engine[key] > 0).map(([key, name]) => `  ${name}: ${mebibytes(engine[key])}`),
    `  Optimizer and sums of gradients, ${where}: ${mebibytes(hostBytes)}`,
  ].join('\n');
}

/** `training.micro_batch_tokens: 512 (740 MiB), or ...` */
export function listed(remedies: readonly Remedy[]): string {
  return remedies.map(({ setting, neededBytes }) => `${setting} (${mebibytes(neededBytes)})`).join(', or ');
}

export function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
