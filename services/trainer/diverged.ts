import { TrainerError } from './failure.ts';

/** The weights were numbers and are none any more, or are about to be. `what` says which number shows it, and where. */
export function diverged(what: string): TrainerError {
  return new TrainerError(
    'nan_loss',
    `Training diverged: ${what}.`,
    'Lower training.learning_rate or training.max_grad_norm, or raise training.warmup_steps; then resume from a checkpoint that was saved before, or submit again where there is none.',
  );
}

/** Nothing has been learned yet, so no setting of the optimizer is to blame. `what` says which number shows it. */
export function brokenAsLoaded(what: string): TrainerError {
  return new TrainerError(
    'nan_loss',
    `The model's own weights or logits are not numbers: ${what}, before the first update.`,
    'Look for NaN or infinite values in the weights under model.name, and in the adapter it starts from if there is one; download or export them again, or use another model.',
  );
}
