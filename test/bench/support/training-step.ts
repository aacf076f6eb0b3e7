import type { ModelConfig } from '../../../services/contracts/model-config.ts';
import { resolveRunSpec } from '../../../services/contracts/resolve-run-spec.ts';
import { loadDecoder } from '../../../services/model/decoder.ts';
import type { Kernels } from '../../../services/model/kernels/kernels.ts';
import { createLora, initialLoraWeights, type LoraConfig } from '../../../services/model/lora.ts';
import { PROJECTIONS } from '../../../services/model/parameters.ts';
import { loadConfig, readingWeights } from '../../../services/model/weights.ts';
import type { CompletionRows } from '../../../services/trainer/learner/completion-rows.ts';
import { createLearner } from '../../../services/trainer/learner/learner.ts';
import { microBatches, type Sequence } from '../../../services/trainer/learner/micro-batches.ts';
import { grpoBatch } from '../../../services/trainer/methods/grpo-batch.ts';
import { gatherGrpoGradients } from '../../../services/trainer/methods/grpo-gradients.ts';
import { sftLoss } from '../../../services/trainer/objectives/sft-loss.ts';
import type { RolloutGroup } from '../../../services/trainer/rollout/collect-rollouts.ts';
import { attentionFlops, headWeights, layerWeights } from './model-flops.ts';

/** 128 tokens go through the model: the last one predicts nothing. */
export const stepShape = { sequences: 4, prompt: 32, completion: 97, rank: 16, alpha: 32 } as const;
const INPUT_TOKENS = stepShape.prompt + stepShape.completion - 1;
const LEARNING_RATE = 1e-4;

export interface TrainingStep {
  /** Forward, backward and update; gives the loss before the update. */
  sft(): Promise<number>;
  /** The same with the objective of GRPO and a reference model, on one group of rollouts that differ in their rewards. */
  grpo(): Promise<number>;
  /** Tokens that go through the model in a step. */
  readonly tokens: number;
  /** Floating point operations of the products of an SFT step: forward, and backward with respect to inputs and adapters. */
  readonly flops: number;
}

/**
 * A step of the trainer with LoRA on all projections, on any kernels; the sequences are the same at every call.
 * @param options.checkpointLayers `training.gradient_checkpointing`
 */
export async function createTrainingStep(
  directory: string,
  kernels: Kernels,
  { checkpointLayers = false }: { readonly checkpointLayers?: boolean } = {},
): Promise<TrainingStep> {
  const { config } = await loadConfig(directory);
  const decoder = await readingWeights(directory, config, (source) =>
    loadDecoder({ config, source, kernels, storage: 'frozen' }),
  );
  const lora: LoraConfig = { r: stepShape.rank, alpha: stepShape.alpha, dropout: 0, targetModules: PROJECTIONS };
  const adapter = createLora(lora, config, initialLoraWeights(lora, config, 1), true);
  const logprobsOf = ({ batch, rows, targets }: CompletionRows, temperature: number, adapted: boolean) => {
    const states = decoder.selectRows(decoder.hidden(batch, adapted ? { adapter, checkpointLayers } : {}), rows);
    return kernels.tokenLogprobs(decoder.logits(states), targets, temperature);
  };
  const policy = {
    variables: adapter.variables,
    tokenLogprobs: (input: CompletionRows, temperature: number) => logprobsOf(input, temperature, true),
    referenceLogprobs: (input: CompletionRows, temperature: number) => logprobsOf(input, temperature, false).logprobs,
  };
  const optimizer = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maxGradNorm: 1 } as const;
  const learner = createLearner({ policy, ...optimizer, dropoutSeed: 1 });
  const sequences = makeSequences();
  const limits = { maxSequences: Number.POSITIVE_INFINITY, maxTokens: 4096 };
  const completionTokens = stepShape.sequences * stepShape.completion;
  const { grpo: options } = grpoSpec();

  return {
    async sft() {
      let loss = 0;
      for (const part of microBatches(sequences, limits)) {
        const objective = (logprobs: Float32Array) => sftLoss(logprobs, completionTokens);
        loss += learner.accumulate(part, objective, { temperature: 1, step: 0 }).loss;
      }
      learner.update(LEARNING_RATE);
      return loss;
    },
    async grpo() {
      const rollouts = sequences.map(({ completion }, i) => {
        const logprobs = completion.map(() => -3);
        return {
          completion,
          logprobs,
          text: '',
          truncated: false,
          reward: i % 2,
          rewards: {},
          success: i % 2 === 1,
          turns: 1,
          messages: 1,
          version: 0,
        };
      });
      const task = { prompt: sequences[0]!.prompt } as RolloutGroup['task'];
      const batch = grpoBatch([{ task, rollouts, skipped: null }], {
        grpo: options,
        maxNewTokens: stepShape.completion,
        batchSize: 1,
      });
      const signal = new AbortController().signal;
      const { loss } = await gatherGrpoGradients({
        learner,
        policy,
        batch,
        limits,
        signal,
        temperature: 1,
        update: 0,
        oldLogprobs: null,
        options: { ...options, kl_coef: 0.1 },
        alive: () => undefined,
      });
      learner.update(LEARNING_RATE);
      return loss;
    },
    tokens: stepShape.sequences * INPUT_TOKENS,
    flops: flopsOf(config, lora),
  };
}

function makeSequences(): Sequence[] {
  return Array.from({ length: stepShape.sequences }, (_, sequence) => ({
    prompt: Array.from({ length: stepShape.prompt }, (_, i) => 3 + ((7 * i) % 40)),
    completion: Array.from({ length: stepShape.completion }, (_, i) => 3 + ((11 * i + 5 * sequence) % 40)),
  }));
}

function grpoSpec() {
  const resolved = resolveRunSpec({ method: 'grpo', model: { name: 'model' }, data: { train_data: 'train.jsonl' } });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.spec;
}

/** Each product once forward and once for the gradient of its input; the adapters' once more for their own. */
function flopsOf(config: ModelConfig, { r }: LoraConfig): number {
  const tokens = stepShape.sequences * INPUT_TOKENS;
  const rows = stepShape.sequences * stepShape.completion;
  const adapter = config.layers * r * adaptedWidths(config);
  // Of attention's backward pass: scores again, and the gradients of weights, queries, keys and values.
  const attention = tokens * attentionFlops(config, INPUT_TOKENS / 2) * 3.5;
  return 4 * (tokens * layerWeights(config) + rows * headWeights(config)) + 6 * tokens * adapter + attention;
}

function adaptedWidths({ hiddenSize, intermediateSize, heads, kvHeads, headDim }: ModelConfig): number {
  const [q, kv] = [heads * headDim, kvHeads * headDim];
  return 2 * (hiddenSize + q) + 2 * (hiddenSize + kv) + 3 * (hiddenSize + intermediateSize);
}
