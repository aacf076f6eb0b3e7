import type { ModelConfig } from '../contracts/model-config.ts';
import type { Kernels, LoraTerm } from './kernels/kernels.ts';
import { recomputed } from './kernels/recompute.ts';
import { createRopeTable } from './kernels/rope.ts';
import type { KvCache } from './kv-cache.ts';
import type { LoraAdapter } from './lora.ts';
import { type DropoutState, dropoutMask } from './lora-dropout.ts';
import { type PackedBatch, planRows, type RowPlan } from './packed-batch.ts';
import { loadParameterStore, type ParameterStore, type WeightStorage } from './parameter-store.ts';
import { modulePath, type Projection } from './parameters.ts';
import * as tf from './tf.ts';
import type { TrainableVariable } from './trainable.ts';
import type { WeightSource, Weights } from './weights.ts';

export interface ForwardOptions {
  /** One per sequence: its earlier tokens are read from there and the new ones added. No gradients. */
  readonly caches?: readonly KvCache[];
  /** One adapter for all sequences, or one per sequence, undefined meaning the base model. */
  readonly adapter?: LoraAdapter | readonly (LoraAdapter | undefined)[];
  /** Training only: turns the adapter's dropout on. */
  readonly dropout?: DropoutState;
  /** Training only: keeps of each layer its input alone, and computes the layer again in the backward pass. */
  readonly checkpointLayers?: boolean;
}

/** A causal language model. What it computes for a sequence does not depend, to the last bit, on the batch around it. */
export interface Decoder {
  readonly config: ModelConfig;
  readonly kernels: Kernels;
  /** All weights when the decoder was created trainable, else none. */
  readonly variables: readonly TrainableVariable[];
  /** Final hidden states, normalised: [tokens, hidden]. The caller disposes of them, or runs inside tf.tidy. */
  hidden(batch: PackedBatch, options?: ForwardOptions): tf.Tensor2D;
  /** Rows of the hidden states: [rows.length, hidden]. */
  selectRows(hidden: tf.Tensor2D, rows: Int32Array): tf.Tensor2D;
  /** [n, hidden] -> [n, vocabulary]. Select the rows that are needed first: this is the widest tensor there is. */
  logits(hidden: tf.Tensor2D): tf.Tensor2D;
  /** All weights under their Hugging Face names, in the layout of the disk. */
  export(): Weights;
  dispose(): void;
}

/** Builds a decoder from weights in the layout of the disk, which fit the config and are read one after the other. */
export async function loadDecoder(params: {
  readonly config: ModelConfig;
  readonly source: WeightSource;
  readonly kernels: Kernels;
  readonly storage: WeightStorage;
}): Promise<Decoder> {
  const { config, kernels } = params;
  return decoderOf(config, kernels, await loadParameterStore(config, params.source, params.storage, kernels.weights));
}

function decoderOf(config: ModelConfig, kernels: Kernels, store: ParameterStore): Decoder {
  const ropeTable = createRopeTable(config.rope, config.headDim);

  function hidden(batch: PackedBatch, options: ForwardOptions = {}): tf.Tensor2D {
    const plan = planRows(batch, config.vocabSize, options.caches, options.adapter);
    const states = tf.tidy(() => {
      let x = kernels.rows(store.embedding(), plan.tokens);
      for (let layer = 0; layer < config.layers; layer++) {
        // What a layer makes on its way and does not save for a backward pass is freed with it.
        const compute = (input: tf.Tensor2D) => tf.tidy(() => layerOutput(input, layer, plan, options.dropout));
        x = options.checkpointLayers ? checkpointed(x, layer, plan, compute) : compute(x);
      }
      const normalised = kernels.rmsNorm(x, store.vector('model.norm.weight'), config.rmsNormEps);
      return plan.restore ? kernels.rows(normalised, plan.restore) : normalised;
    });
    for (const [i, cache] of (plan.caches ?? []).entries()) cache.advance(plan.spans[i]!.queryLength);
    return states;
  }

  /** What is trained in the layers before, if anything, has part in x; of the base model under an adapter nothing is. */
  function checkpointed(
    x: tf.Tensor2D,
    layer: number,
    plan: RowPlan,
    compute: (input: tf.Tensor2D) => tf.Tensor2D,
  ): tf.Tensor2D {
    const variables = layerVariables(store.variables, layer, plan);
    const constantInput = layer === 0 && store.variables.length === 0;
    return constantInput && variables.length === 0 ? compute(x) : recomputed(x, variables, compute, { constantInput });
  }

  function layerOutput(x: tf.Tensor2D, layer: number, plan: RowPlan, dropout: DropoutState | undefined): tf.Tensor2D {
    const project = (input: tf.Tensor2D, projection: Projection) => projected(input, layer, projection, plan, dropout);
    const attended = attention(normed(x, layer, 'input_layernorm'), layer, plan, project);
    const afterAttention: tf.Tensor2D = tf.add(x, project(attended, 'o_proj'));
    const mlpInput = normed(afterAttention, layer, 'post_attention_layernorm');
    const activated = kernels.swiglu(project(mlpInput, 'gate_proj'), project(mlpInput, 'up_proj'));
    return tf.add(afterAttention, project(activated, 'down_proj'));
  }

  function attention(
    input: tf.Tensor2D,
    layer: number,
    plan: RowPlan,
    project: (input: tf.Tensor2D, projection: Projection) => tf.Tensor2D,
  ): tf.Tensor2D {
    const headNorm = (heads: tf.Tensor2D, name: string) =>
      config.qkNorm ? normed(heads, layer, `self_attn.${name}`) : heads;
    const q = kernels.rope(headNorm(project(input, 'q_proj'), 'q_norm'), plan.positions, ropeTable);
    const k = kernels.rope(headNorm(project(input, 'k_proj'), 'k_norm'), plan.positions, ropeTable);
    const v = project(input, 'v_proj');
    const { caches } = plan;
    if (!caches) return kernels.attention({ q, k, v }, config, plan.spans);
    kernels.read([k, v], ([keys, values]) => {
      for (const [i, { queryStart: start, queryLength: count }] of plan.spans.entries()) {
        caches[i]!.append(layer, { keys: keys!, values: values!, start, count });
      }
    });
    const cached = caches.map((cache) => cache.layer(layer));
    return kernels.cachedAttention(q, cached, config, plan.spans);
  }

  function normed(x: tf.Tensor2D, layer: number, name: string): tf.Tensor2D {
    return kernels.rmsNorm(x, store.vector(`model.layers.${layer}.${name}.weight`), config.rmsNormEps);
  }

  /** Rows of different adapters are multiplied apart, which gives each row the same bits as one product would. */
  function projected(
    x: tf.Tensor2D,
    layer: number,
    projection: Projection,
    plan: RowPlan,
    dropout: DropoutState | undefined,
  ): tf.Tensor2D {
    const path = modulePath(layer, projection);
    const weight = store.linear(path);
    const width = x.shape[1];
    if (plan.groups.length === 1) {
      const term = loraTerm(plan.groups[0]!.adapter, path, plan, width, dropout);
      return kernels.linear(x, weight, term, {
        constantInput: isFirst(layer, projection) && weight.trained.length === 0,
      });
    }
    const parts = plan.groups.map(({ start, count, adapter }) =>
      kernels.linear(tf.slice(x, [start, 0], [count, width]), weight, loraTerm(adapter, path, plan, width, undefined)),
    );
    return tf.concat(parts, 0);
  }

  return {
    config,
    kernels,
    variables: store.variables,
    hidden,
    selectRows: (states, rows) => kernels.rows(states, rows),
    logits: (states) => kernels.linear(states, store.head()),
    export: () => store.export(),
    dispose: () => store.dispose(),
  };
}

/** What is trained in a layer: weights of the model, or of the adapters in use. */
function layerVariables(own: readonly TrainableVariable[], layer: number, plan: RowPlan): tf.Tensor[] {
  const prefix = `model.layers.${layer}.`;
  const weights = own.filter(({ name }) => name.startsWith(prefix)).map(({ variable }) => variable);
  const adapted = plan.groups.flatMap(({ adapter }) =>
    [...(adapter?.modules ?? [])].flatMap(([path, { a, b }]) => (path.startsWith(prefix) ? [a, b] : [])),
  );
  return [...weights, ...adapted.filter((tensor) => tensor instanceof tf.Variable)];
}

/** Whether a projection's input comes from the embedding, by nothing but norms. */
function isFirst(layer: number, projection: Projection): boolean {
  return layer === 0 && ['q_proj', 'k_proj', 'v_proj'].includes(projection);
}

function loraTerm(
  adapter: LoraAdapter | undefined,
  path: string,
  plan: RowPlan,
  width: number,
  dropout: DropoutState | undefined,
): LoraTerm | undefined {
  const module = adapter?.modules.get(path);
  if (!adapter || !module) return undefined;
  const { a, b, index } = module;
  const p = adapter.config.dropout;
  if (!dropout || p === 0) return { a, b, scale: adapter.scale };
  return { a, b, scale: adapter.scale, mask: dropoutMask(dropout, index, plan, width, p) };
}
