import type { ModelConfig } from '../../contracts/model-config.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import type { Engine } from '../../model/backend.ts';
import { type Decoder, loadDecoder } from '../../model/decoder.ts';
import { createKernels } from '../../model/kernels/create-kernels.ts';
import type { Kernels } from '../../model/kernels/kernels.ts';
import { createLora, initialLoraWeights, type LoraAdapter, type LoraConfig } from '../../model/lora.ts';
import type { DropoutState } from '../../model/lora-dropout.ts';
import { parameterSpecs } from '../../model/parameters.ts';
import { type PeftAdapter, readPeftAdapter } from '../../model/peft.ts';
import { deriveSeed } from '../../model/random.ts';
import type { TensorData } from '../../model/safetensors.ts';
import * as tf from '../../model/tf.ts';
import { readLogits, type TokenStatistics, tokenLogprobs } from '../../model/token-logprobs.ts';
import { loadTokenizer, type Tokenizer } from '../../model/tokenizer.ts';
import { type TrainableVariable, writeVariable } from '../../model/trainable.ts';
import { loadConfig, readingWeights, type WeightSource, type Weights } from '../../model/weights.ts';
import { TrainerError } from '../failure.ts';
import type { CompletionRows } from './completion-rows.ts';
import { withAdapter } from './merge-adapter.ts';

/** The model in training: a decoder whose weights are the policy, or a frozen one with the adapter that is. */
export interface Policy {
  readonly directory: string;
  readonly config: ModelConfig;
  readonly configJson: Readonly<Record<string, unknown>>;
  readonly tokenizer: Tokenizer;
  /** Null when the full weights are trained. */
  readonly lora: LoraConfig | null;
  /** In file order. */
  readonly variables: readonly TrainableVariable[];
  /** Differentiable; call inside tf.tidy or tf.variableGrads. One value per row asked for, in nats. */
  tokenLogprobs(input: CompletionRows, temperature: number, dropout?: DropoutState): TokenStatistics;
  /** Shows the logits of the rows that predict completion tokens, some rows at a time (`readLogits`); no gradients. */
  readLogits(input: CompletionRows, use: Parameters<typeof readLogits>[3]): void;
  /** Of the model the run started from, with no gradient; call inside tf.tidy. */
  referenceLogprobs(input: CompletionRows, temperature: number): tf.Tensor1D;
  /** A copy of what is trained, under the names and in the layout of its file. */
  trainedWeights(): Weights;
  /** @throws TrainerError `invalid_checkpoint` for weights of another model or adapter. */
  loadTrainedWeights(weights: Weights): void;
  /** Trained and total parameters. */
  readonly size: { readonly trainable: number; readonly total: number };
}

/**
 * Loads the base model and makes what the spec trains trainable: all weights, a new adapter, or the adapter of the run that is continued.
 *
 * @param withReference keep what `referenceLogprobs` needs; for full weights that is a second copy of the model.
 * @throws ModelError, TrainerError `invalid_spec` when the adapter to continue does not fit the spec.
 */
export async function loadPolicy(params: {
  readonly engine: Engine;
  readonly spec: RunSpec;
  readonly modelDirectory: string;
  readonly baseAdapterDirectory: string | null;
  readonly withReference: boolean;
}): Promise<Policy> {
  const { engine, spec, modelDirectory: directory } = params;
  const { json: configJson, config } = await loadConfig(directory);
  const tokenizer = await loadTokenizer(directory, config);
  const base = params.baseAdapterDirectory === null ? null : await readPeftAdapter(params.baseAdapterDirectory);
  const kernels = createKernels(engine);
  const parts = await readingWeights(directory, config, (source) =>
    spec.model.use_lora
      ? adapterParts({ spec, config, kernels, source, base })
      : fullParts({ config, kernels, source: withAdapter(source, base), withReference: params.withReference }),
  );
  const { decoder, adapter, variables } = parts;

  const checkpointLayers = spec.training.gradient_checkpointing;

  return {
    directory,
    config,
    configJson,
    tokenizer,
    lora: adapter?.config ?? null,
    variables,
    tokenLogprobs(input, temperature, dropout) {
      const options = { ...(adapter && { adapter }), ...(dropout && { dropout }), checkpointLayers };
      return tokenLogprobs(decoder, decoder.hidden(input.batch, options), input, temperature);
    },
    readLogits(input, use) {
      tf.tidy(() => readLogits(decoder, decoder.hidden(input.batch, { ...(adapter && { adapter }) }), input.rows, use));
    },
    referenceLogprobs(input, temperature) {
      const { decoder: reference, adapter: frozen } = parts.reference();
      const hidden = reference.hidden(input.batch, frozen && { adapter: frozen });
      return tokenLogprobs(reference, hidden, input, temperature).logprobs;
    },
    trainedWeights: () => (adapter ? adapter.export() : decoder.export()),
    loadTrainedWeights: (weights) => loadInto(variables, weights),
    size: { trainable: count(variables), total: count(parameterSpecs(config)) + (adapter ? count(variables) : 0) },
  };
}

interface Parts {
  readonly decoder: Decoder;
  readonly adapter?: LoraAdapter;
  readonly variables: readonly TrainableVariable[];
  reference(): { readonly decoder: Decoder; readonly adapter?: LoraAdapter | undefined };
}

async function adapterParts(params: {
  readonly spec: RunSpec;
  readonly config: ModelConfig;
  readonly kernels: Kernels;
  readonly source: WeightSource;
  readonly base: PeftAdapter | null;
}): Promise<Parts> {
  const { spec, config, kernels, source, base } = params;
  const { r, alpha, dropout, target_modules: targetModules } = spec.model.lora;
  const lora: LoraConfig = { r, alpha, dropout, targetModules };
  if (base) requireSameAdapter(base.config, lora);
  const initial = base?.weights ?? initialLoraWeights(lora, config, deriveSeed(spec.seed, 'lora'));
  const decoder = await loadDecoder({ config, source, kernels, storage: spec.model.use_4bit ? 'nf4' : 'frozen' });
  const adapter = createLora(lora, config, initial, true);
  let frozen: LoraAdapter | undefined;
  return {
    decoder,
    adapter,
    variables: adapter.variables,
    reference() {
      // A new adapter starts as the base model itself: B is zero.
      if (base) frozen ??= createLora(base.config, config, base.weights, false);
      return { decoder, adapter: frozen };
    },
  };
}

async function fullParts(params: {
  readonly config: ModelConfig;
  readonly kernels: Kernels;
  readonly source: WeightSource;
  readonly withReference: boolean;
}): Promise<Parts> {
  const { config, kernels, source } = params;
  const decoder = await loadDecoder({ config, source, kernels, storage: 'trainable' });
  const reference = params.withReference
    ? await loadDecoder({ config, source, kernels, storage: 'frozen' })
    : undefined;
  return {
    decoder,
    variables: decoder.variables,
    reference() {
      if (reference === undefined) throw new Error('the policy was loaded without a reference');
      return { decoder: reference };
    },
  };
}

function requireSameAdapter(base: LoraConfig, wanted: LoraConfig): void {
  const targets = (config: LoraConfig) => [...config.targetModules].sort().join(', ');
  const differences = [
    base.r === wanted.r ? [] : [`r is ${base.r}, the spec says ${wanted.r}`],
    base.alpha === wanted.alpha ? [] : [`alpha is ${base.alpha}, the spec says ${wanted.alpha}`],
    targets(base) === targets(wanted) ? [] : [`target_modules are ${targets(base)}, the spec says ${targets(wanted)}`],
  ].flat();
  if (differences.length === 0) return;
  throw new TrainerError(
    'invalid_spec',
    `The adapter to continue does not fit model.lora: ${differences.join('; ')}.`,
    'Set model.lora as that adapter has it, or set model.use_lora: false to train the merged full weights.',
  );
}

function loadInto(variables: readonly TrainableVariable[], weights: Weights): void {
  const missing = variables.find(({ name, shape }) => weights.get(name)?.shape.join() !== shape.join());
  if (missing) {
    const found = weights.get(missing.name);
    throw new TrainerError(
      'invalid_checkpoint',
      `The checkpoint's ${missing.name} ${found ? `has shape [${found.shape}]` : 'is missing'}; this run trains [${missing.shape}].`,
      'Resume with the same model, model.use_lora and model.lora as the checkpoint was trained with.',
    );
  }
  for (const variable of variables) writeVariable(variable, weights.get(variable.name)!.data);
}

function count(tensors: readonly Pick<TensorData, 'shape'>[]): number {
  return tensors.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0);
}
