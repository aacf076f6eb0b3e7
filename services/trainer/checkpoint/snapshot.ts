import type { TrainingMetadata, TrainingState } from '../../contracts/checkpoint.ts';
import type { LoraConfig, LoraWeights } from '../../model/lora.ts';
import type { Weights } from '../../model/weights.ts';
import type { AdamW, AdamWOptions, AdamWState } from '../optimizer/adamw.ts';
import type { SchedulerState } from '../optimizer/schedule.ts';

/** What is trained: an adapter (`LoraAdapter.export()`) or all weights (`Decoder.export()`), in the layout of the disk. */
export type TrainedWeights =
  | { readonly kind: 'lora'; readonly config: LoraConfig; readonly weights: LoraWeights; readonly baseModel: string }
  | { readonly kind: 'full'; readonly configJson: Readonly<Record<string, unknown>>; readonly weights: Weights };

/** Everything a checkpoint holds, at one moment. Nothing in it changes while training goes on. */
export interface CheckpointSnapshot {
  readonly weights: TrainedWeights;
  /** The base model; its `config.json` and tokenizer files go into the checkpoint. */
  readonly modelDirectory: string;
  readonly optimizer: AdamWState;
  readonly optimizerOptions: Pick<AdamWOptions, 'betas' | 'eps' | 'weightDecay'>;
  readonly scheduler: SchedulerState;
  /** Whatever the caller needs to continue its random streams. */
  readonly rng: Readonly<Record<string, unknown>>;
  readonly trainingState: TrainingState;
  readonly trainingMetadata: TrainingMetadata;
}

/**
 * Copies what training will change, synchronously: to be called between two steps, and written afterwards, beside the next ones.
 * `weights` are taken over as they are, since `export()` has just made them.
 */
export function takeSnapshot(
  from: Omit<CheckpointSnapshot, 'optimizer' | 'optimizerOptions'> & { readonly optimizer: AdamW },
): CheckpointSnapshot {
  const { betas, eps, weightDecay } = from.optimizer.options;
  return {
    weights: from.weights,
    modelDirectory: from.modelDirectory,
    optimizer: from.optimizer.stateDict(),
    optimizerOptions: { betas, eps, weightDecay },
    scheduler: from.scheduler,
    rng: structuredClone(from.rng),
    trainingState: structuredClone(from.trainingState),
    trainingMetadata: structuredClone(from.trainingMetadata),
  };
}
