import { transpose } from '../../model/layout.ts';
import { createUpdate, type Scalars } from './adamw-update.ts';

/** A trained tensor. */
export interface Parameter {
  /** Name and shape in the file it is saved to (Hugging Face, or PEFT for LoRA). */
  readonly name: string;
  readonly shape: readonly number[];
  /** Whether `data` holds the transpose of that shape, as the engine keeps projections. Default: false. */
  readonly transposed?: boolean;
  /** Changed in place by the optimizer. */
  readonly data: Float32Array;
}

/** What AdamW remembers of one parameter: updates so far and the two moments, row-major in `shape`. */
export interface ParameterState {
  readonly name: string;
  readonly shape: readonly number[];
  readonly step: number;
  readonly expAvg: Float32Array;
  readonly expAvgSq: Float32Array;
}

export type AdamWState = readonly ParameterState[];

export interface AdamWOptions {
  readonly parameters: readonly Parameter[];
  readonly betas: readonly [number, number];
  readonly eps: number;
  readonly weightDecay: number;
}

export interface AdamW {
  readonly options: AdamWOptions;
  /**
   * One update, in place. `grads` are in the order of the parameters, each as long as its parameter.
   * @throws RangeError when a gradient is missing or has another length; nothing has changed then.
   */
  step(grads: readonly Float32Array[], lr: number): void;
  /** A copy, in the order of the parameters and in the layout of the file. */
  stateDict(): AdamWState;
  /**
   * Copies in; the order and the sizes must be those of the parameters (see `matchOptimizerState` for states of other origins).
   * @throws RangeError when they are not; nothing has changed then.
   */
  loadStateDict(state: AdamWState): void;
}

/**
 * AdamW (Loshchilov and Hutter: "Decoupled Weight Decay Regularization", ICLR 2019) in the order of operations and the precision of
 * `torch.optim.AdamW` on a CPU: parameters and moments in float32 and rounded after every operation, scalars in float64 until they meet
 * a tensor. The same inputs give the same bits.
 */
export function createAdamW(options: AdamWOptions): AdamW {
  const { parameters } = options;
  const update = createUpdate(options.betas[0]);
  const slots = parameters.map(({ data }) => ({
    step: 0,
    expAvg: new Float32Array(data.length),
    expAvgSq: new Float32Array(data.length),
  }));

  return {
    options,
    step(grads, lr) {
      checkGradients(parameters, grads);
      for (const [i, slot] of slots.entries()) {
        slot.step = Math.fround(slot.step + 1);
        update({ parameter: parameters[i]!.data, grad: grads[i]!, ...slot }, scalarsOf(options, slot.step, lr));
      }
    },
    stateDict: () =>
      slots.map(({ step, expAvg, expAvgSq }, i) => ({
        name: parameters[i]!.name,
        shape: parameters[i]!.shape,
        step,
        expAvg: toFileLayout(parameters[i]!, expAvg),
        expAvgSq: toFileLayout(parameters[i]!, expAvgSq),
      })),
    loadStateDict(state) {
      checkState(parameters, state);
      for (const [i, slot] of slots.entries()) {
        slot.step = state[i]!.step;
        slot.expAvg.set(fromFileLayout(parameters[i]!, state[i]!.expAvg));
        slot.expAvgSq.set(fromFileLayout(parameters[i]!, state[i]!.expAvgSq));
      }
    },
  };
}

/** The scalars of update `step`, in float64: https://github.com/pytorch/pytorch, torch/optim/adam.py, _single_tensor_adam. */
function scalarsOf({ betas, eps, weightDecay }: AdamWOptions, step: number, lr: number): Scalars {
  const [beta1, beta2] = betas;
  return {
    keep: 1 - lr * weightDecay,
    beta2,
    weight2: 1 - beta2,
    stepSize: -(lr / (1 - beta1 ** step)),
    correction2: Math.sqrt(1 - beta2 ** step),
    eps,
  };
}

function checkGradients(parameters: readonly Parameter[], grads: readonly Float32Array[]): void {
  if (grads.length !== parameters.length) {
    throw new RangeError(`AdamW has ${parameters.length} parameters and was given ${grads.length} gradients`);
  }
  for (const [i, { name, data }] of parameters.entries()) {
    if (grads[i]!.length !== data.length) {
      throw new RangeError(`the gradient of ${name} has ${grads[i]!.length} values; the parameter has ${data.length}`);
    }
  }
}

function checkState(parameters: readonly Parameter[], state: AdamWState): void {
  if (state.length !== parameters.length) {
    throw new RangeError(`AdamW has ${parameters.length} parameters and was given the state of ${state.length}`);
  }
  for (const [i, { name, data }] of parameters.entries()) {
    const { name: found, expAvg, expAvgSq } = state[i]!;
    if (found !== name) throw new RangeError(`the optimizer state at ${i} is of ${found}; the parameter is ${name}`);
    if (expAvg.length !== data.length || expAvgSq.length !== data.length) {
      throw new RangeError(
        `the optimizer state of ${name} has ${expAvg.length} and ${expAvgSq.length} values, expected ${data.length}`,
      );
    }
  }
}

function toFileLayout({ shape, transposed }: Parameter, values: Float32Array): Float32Array {
  return transposed ? transpose(values, shape[1]!, shape[0]!) : values.slice();
}

function fromFileLayout({ shape, transposed }: Parameter, values: Float32Array): Float32Array {
  return transposed ? transpose(values, shape[0]!, shape[1]!) : values;
}
