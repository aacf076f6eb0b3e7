import { resolveRunSpec } from '../../../services/contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../../services/contracts/run-spec.ts';
import { loadDecoder } from '../../../services/model/decoder.ts';
import type { Kernels } from '../../../services/model/kernels/kernels.ts';
import { createLora, initialLoraWeights, type LoraConfig, type LoraWeights } from '../../../services/model/lora.ts';
import { PROJECTIONS } from '../../../services/model/parameters.ts';
import { loadConfig, readingWeights } from '../../../services/model/weights.ts';
import type { CompletionRows } from '../../../services/trainer/learner/completion-rows.ts';
import { createLearner } from '../../../services/trainer/learner/learner.ts';
import { microBatches, type Sequence } from '../../../services/trainer/learner/micro-batches.ts';
import { gatherDpoGradients } from '../../../services/trainer/methods/dpo-gradients.ts';
import { grpoBatch } from '../../../services/trainer/methods/grpo-batch.ts';
import { gatherGrpoGradients } from '../../../services/trainer/methods/grpo-gradients.ts';
import { sftLoss } from '../../../services/trainer/objectives/sft-loss.ts';
import type { RolloutGroup } from '../../../services/trainer/rollout/collect-rollouts.ts';
import { type StepFlops, stepFlops } from './model-flops.ts';
import { type BenchMethod, stepShape } from './step-shape.ts';

/** A step of each method: forward, backward and update; gives the loss before the update. */
export interface TrainingStep extends Readonly<Record<BenchMethod, () => Promise<number>>> {
  readonly flops: StepFlops;
}

/** On all projections, without dropout. */
export const benchLora: LoraConfig = {
  r: stepShape.rank,
  alpha: stepShape.alpha,
  dropout: 0,
  targetModules: PROJECTIONS,
};

/**
 * Steps of the trainer with LoRA, on any kernels; the sequences are the same at every call. The reference of DPO and GRPO is the model without the
 * adapter; GRPO learns from one group of rollouts that differ in their rewards, and its old logprobs are those of the pass itself.
 *
 * @param options.checkpointLayers `training.gradient_checkpointing`
 * @param options.adapter what the adapter starts from; default: a new one.
 */
export async function createTrainingStep(
  directory: string,
  kernels: Kernels,
  options: { readonly checkpointLayers?: boolean; readonly adapter?: LoraWeights } = {},
): Promise<TrainingStep> {
  const { checkpointLayers = false } = options;
  const { config } = await loadConfig(directory);
  const decoder = await readingWeights(directory, config, (source) =>
    loadDecoder({ config, source, kernels, storage: 'frozen' }),
  );
  const weights = options.adapter ?? initialLoraWeights(benchLora, config, 1);
  const adapter = createLora(benchLora, config, weights, true);
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
  const common = {
    ...{ learner, policy, limits: { maxSequences: Number.POSITIVE_INFINITY, maxTokens: 4096 } },
    ...{ signal: new AbortController().signal, alive: () => undefined, turn: async () => undefined },
  };
  const updated = (loss: number) => {
    learner.update(stepShape.learningRate);
    return loss;
  };

  return {
    async sft() {
      const totalTokens = stepShape.sequences * stepShape.completion;
      const losses = microBatches(sequences, common.limits).map((part) => {
        const objective = (logprobs: Float32Array) => sftLoss(logprobs, totalTokens);
        return learner.accumulate(part, objective, { temperature: 1, step: 0 }).loss;
      });
      return updated(losses.reduce((sum, loss) => sum + loss, 0));
    },
    async dpo() {
      const batch = makePairs(sequences);
      const dpo = { lossType: 'sigmoid', beta: stepShape.beta, totalPairs: batch.length } as const;
      const { loss } = await gatherDpoGradients({ ...common, batch, options: dpo, step: 0 });
      return updated(loss);
    },
    async grpo() {
      const grpo = grpoOptions();
      const batch = grpoBatch([makeGroup(sequences)], { grpo, maxNewTokens: stepShape.completion, batchSize: 1 });
      const step = { temperature: 1, update: 0, oldLogprobs: null, options: grpo };
      const { loss } = await gatherGrpoGradients({ ...common, batch, ...step });
      return updated(loss);
    },
    flops: stepFlops(config),
  };
}

function makeSequences(): Sequence[] {
  return Array.from({ length: stepShape.sequences }, (_, sequence) => ({
    prompt: Array.from({ length: stepShape.prompt }, (_, i) => 3 + ((7 * i) % 40)),
    completion: Array.from({ length: stepShape.completion }, (_, i) => 3 + ((11 * i + 5 * sequence) % 40)),
  }));
}

/** Of each two sequences the first is preferred. */
function makePairs(sequences: readonly Sequence[]) {
  return Array.from({ length: sequences.length / 2 }, (_, i) => {
    const [{ prompt, completion: chosen }, { completion: rejected }] = [sequences[2 * i]!, sequences[2 * i + 1]!];
    return { id: String(i), prompt, chosen, rejected };
  });
}

function makeGroup(sequences: readonly Sequence[]): RolloutGroup {
  const rollouts = sequences.map(({ completion }, i) => {
    const reward = stepShape.rewards[i]!;
    const ending = {
      text: '',
      truncated: false,
      rewards: {},
      success: reward === 1,
      turns: 1,
      messages: 1,
      version: 0,
    };
    return { completion, logprobs: completion.map(() => -3), reward, ...ending };
  });
  return { task: { prompt: sequences[0]!.prompt } as RolloutGroup['task'], rollouts, skipped: null };
}

/** The rollouts are said to be the policy's own, so nothing is corrected. */
function grpoOptions(): RunSpec['grpo'] {
  const { klCoef: kl_coef, clipLow: epsilon_low, clipHigh: epsilon_high } = stepShape;
  const resolved = resolveRunSpec({
    ...{ method: 'grpo', model: { name: 'model' }, data: { train_data: 'train.jsonl' } },
    grpo: { kl_coef, epsilon_low, epsilon_high, loss_type: 'dapo', mismatch_correction: 'off' },
  });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.spec.grpo;
}
