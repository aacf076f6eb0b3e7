import type { Seed } from '../../model/random.ts';
import * as tf from '../../model/tf.ts';
import type { TrainableVariable } from '../../model/trainable.ts';
import { brokenAsLoaded, diverged } from '../diverged.ts';
import { type AdamW, createAdamW } from '../optimizer/adamw.ts';
import { clipGradNorm } from '../optimizer/clip.ts';
import { completionRows } from './completion-rows.ts';
import type { MicroBatch, Sequence } from './micro-batches.ts';
import type { Policy } from './policy.ts';

/** What an objective makes of the logprobs of a micro-batch. */
export interface ObjectiveValue {
  readonly loss: number;
  /** d loss / d logprob of each completion token. */
  readonly gradLogprobs: Float32Array;
}

/** Per completion token, in order. */
export type Objective<V extends ObjectiveValue> = (logprobs: Float32Array, entropies: Float32Array) => V;

/** The policy in training: gradients are gathered over micro-batches, then one update is made. */
export interface Learner {
  readonly optimizer: AdamW;
  /** Forward and backward of one micro-batch; its gradients are added to those gathered so far. */
  accumulate<V extends ObjectiveValue>(
    batch: MicroBatch<Sequence>,
    objective: Objective<V>,
    options: { readonly temperature: number; readonly step: number },
  ): V;
  /**
   * Clips what was gathered and updates the weights.
   * @returns the norm before clipping.
   * @throws TrainerError `nan_loss` when the norm is not finite; the weights are then as before.
   */
  update(learningRate: number): number;
  /** Forgets the gradients gathered so far. */
  discard(): void;
  /** Takes over the current values of the policy's variables, after they were loaded. */
  reload(): void;
}

export function createLearner(params: {
  readonly policy: Pick<Policy, 'variables' | 'tokenLogprobs'>;
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly dropoutSeed: Seed;
}): Learner {
  const { policy, maxGradNorm, dropoutSeed } = params;
  const { variables } = policy;
  const parameters = variables.map(({ name, shape, transposed, variable }) => ({
    name,
    shape,
    transposed,
    data: variable.dataSync() as Float32Array,
  }));
  const { betas, eps, weightDecay } = params;
  const optimizer = createAdamW({ parameters, betas, eps, weightDecay });
  const tfVariables = variables.map(({ variable }) => variable);
  let gathered: Float32Array[] | null = null;

  function accumulate<V extends ObjectiveValue>(
    batch: MicroBatch<Sequence>,
    objective: Objective<V>,
    options: { readonly temperature: number; readonly step: number },
  ): V {
    const input = completionRows(batch.sequences);
    const dropout = { seed: dropoutSeed, step: options.step, firstSequence: batch.firstSequence };
    let result: V | undefined;
    const { value, grads } = tf.variableGrads(() => {
      const { logprobs, entropy } = policy.tokenLogprobs(input, options.temperature, dropout);
      const objectiveOp = tf.customGrad((x) => {
        const computed = objective((x as tf.Tensor).dataSync() as Float32Array, entropy.dataSync() as Float32Array);
        result = computed;
        return {
          value: tf.scalar(computed.loss),
          gradFunc: () => tf.tensor1d(computed.gradLogprobs),
        };
      });
      return objectiveOp(logprobs) as tf.Scalar;
    }, tfVariables);
    value.dispose();
    gather(grads);
    return result!;
  }

  function gather(grads: tf.NamedTensorMap): void {
    const values = variables.map(({ variable }) => grads[variable.name]!.dataSync() as Float32Array);
    tf.dispose(grads);
    if (gathered === null) {
      gathered = values;
      return;
    }
    for (const [i, sum] of gathered.entries()) {
      const value = values[i]!;
      for (let j = 0; j < sum.length; j++) sum[j] = sum[j]! + value[j]!;
    }
  }

  function update(learningRate: number): number {
    if (gathered === null) throw new Error('an update needs gradients: accumulate a batch first');
    const norm = clipGradNorm(gathered, maxGradNorm);
    if (!Number.isFinite(norm)) throw diverged(`the gradient norm is ${norm}`);
    optimizer.step(gathered, learningRate);
    gathered = null;
    for (const [i, { variable }] of variables.entries()) assign(variable, parameters[i]!.data);
    return norm;
  }

  return {
    optimizer,
    accumulate,
    update,
    discard() {
      gathered = null;
    },
    reload() {
      for (const [i, entry] of variables.entries()) parameters[i]!.data.set(values(entry));
    },
  };
}

/**
 * @param updates that were made so far, of all steps
 * @throws TrainerError `nan_loss` unless the loss is a finite number.
 */
export function requireFinite(loss: number, step: number, updates: number): void {
  if (Number.isFinite(loss)) return;
  throw (updates === 0 ? brokenAsLoaded : diverged)(`the loss is ${loss} at step ${step}`);
}

function values({ variable }: TrainableVariable): Float32Array {
  return variable.dataSync() as Float32Array;
}

function assign(variable: tf.Variable, data: Float32Array): void {
  const tensor = tf.tensor(data, variable.shape);
  variable.assign(tensor);
  tensor.dispose();
}
