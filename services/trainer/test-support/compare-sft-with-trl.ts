import path from 'node:path';
import { loadDecoder } from '../../model/decoder.ts';
import type { Kernels } from '../../model/kernels/kernels.ts';
import { tokenLogprobs } from '../../model/token-logprobs.ts';
import { loadConfig, readingWeights } from '../../model/weights.ts';
import { createLearner } from '../learner/learner.ts';
import { limitsOf, type Sequence } from '../learner/micro-batches.ts';
import { gatherSftGradients, withPrompt } from '../methods/sft-gradients.ts';
import type { Compared } from './compare-with-trl.ts';

/** What `test/golden/trl/make_sft.py` writes. */
export interface TrlSftGolden {
  readonly versions: Readonly<Record<string, string>>;
  /** One of test/golden/model/random. */
  readonly model: string;
  readonly examples: readonly Sequence[];
  /** Of the weights, in the order of `norms` and `samples`. */
  readonly names: readonly string[];
  readonly cases: readonly SftCase[];
}

export interface SftCase {
  readonly packing: boolean;
  readonly completion_only: boolean;
  /** That TRL packed or padded into. */
  readonly rows: number;
  readonly loss: number;
  readonly norms: readonly number[];
  readonly samples: readonly (readonly number[])[];
}

const models = path.resolve(import.meta.dirname, '../../../test/golden/model/random');

/** One step on all examples in two micro-batches: the loss, and per weight its gradient's norm and entries, relative to that norm. */
export async function compareSft(golden: TrlSftGolden, given: SftCase, kernels: Kernels): Promise<Compared> {
  const directory = path.join(models, golden.model);
  const { config } = await loadConfig(directory);
  const decoder = await readingWeights(directory, config, (source) =>
    loadDecoder({ config, source, kernels, storage: 'trainable' }),
  );
  const { variables } = decoder;
  const learner = createLearner({
    policy: {
      variables,
      tokenLogprobs: (input, temperature) => tokenLogprobs(decoder, decoder.hidden(input.batch), input, temperature),
    },
    // The first moment is then the gradient itself.
    ...{ betas: [0, 0] as const, eps: 1, weightDecay: 0, maxGradNorm: Number.MAX_VALUE, dropoutSeed: 0 },
  });
  const { loss } = await gatherSftGradients({
    learner,
    batch: given.completion_only ? golden.examples : golden.examples.map(withPrompt),
    limits: limitsOf({ micro_batch_tokens: 4096 }, 2),
    step: 0,
    signal: new AbortController().signal,
    alive: () => {},
  });
  learner.update(0);
  decoder.dispose();
  const gradients = new Map(learner.optimizer.stateDict().map(({ name, expAvg }) => [name, expAvg]));
  const overall = Math.hypot(...given.norms);
  const compared: Record<string, readonly [number, number]> = { loss: [loss, given.loss] };
  for (const [i, name] of golden.names.entries()) {
    const gradient = gradients.get(name);
    if (gradient === undefined) throw new Error(`${name} has no gradient here`);
    // A gradient that is zero but for rounding is compared with those of the other weights.
    const scale = 1 / Math.max(given.norms[i]!, 1e-6 * overall);
    compared[name] = [scale * Math.hypot(...gradient), scale * given.norms[i]!];
    for (const [k, theirs] of given.samples[i]!.entries()) {
      compared[`${name} ${k}`] = [scale * gradient[((k + 1) * 7919) % gradient.length]!, scale * theirs];
    }
  }
  return compared;
}
