import type { AdamW } from '../optimizer/adamw.ts';
import { CheckpointError } from './checkpoint-error.ts';
import { matchOptimizerState } from './optimizer-file.ts';
import type { LoadedCheckpoint } from './read-checkpoint.ts';

/** A line to be logged (requirements C5 and C6). */
export interface RestoreMessage {
  readonly level: 'INFO' | 'WARNING';
  readonly text: string;
}

/** Loads a checkpoint's optimizer state, or leaves the optimizer fresh where there is none that fits, and says which. */
export function restoreOptimizer(optimizer: AdamW, loaded: LoadedCheckpoint): RestoreMessage {
  const { optimizer: saved, directory } = loaded;
  if (saved === null) return warning('⚠ Optimizer state not found, starting with fresh optimizer');
  if (saved instanceof CheckpointError) return misfit(saved);
  try {
    optimizer.loadStateDict(matchOptimizerState(`${directory}/optimizer.pt`, saved, optimizer.options.parameters));
    return info('✓ Optimizer state loaded');
  } catch (error) {
    if (error instanceof CheckpointError) return misfit(error);
    throw error;
  }
}

/** What was restored besides weights and optimizer. */
export function describeRestored({
  scheduler,
  rng,
  trainingState,
  trainingStateFound,
  dataPositionFound,
  unused,
}: LoadedCheckpoint): RestoreMessage[] {
  return [
    describeScheduler(scheduler),
    describeRng(rng),
    ...unused.map((text) => warning(`⚠ ${text}`)),
    ...describeTrainingState(trainingState, trainingStateFound),
    ...(dataPositionFound
      ? []
      : [
          warning(
            `⚠ Data position not found, the data starts at the beginning of epoch ${trainingState.data_position.epoch}`,
          ),
        ]),
  ];
}

function describeScheduler(scheduler: LoadedCheckpoint['scheduler']): RestoreMessage {
  if (scheduler === null) return warning('⚠ Scheduler state not found, the learning rate follows from the global step');
  if (scheduler instanceof CheckpointError) {
    return warning(
      `⚠ Scheduler state does not fit, the learning rate follows from the global step: ${scheduler.message}`,
    );
  }
  return info('✓ Scheduler state loaded');
}

function describeRng(rng: LoadedCheckpoint['rng']): RestoreMessage {
  if (rng === null) return warning('⚠ RNG state not found, random numbers follow from the seed and the global step');
  return info('✓ RNG state loaded');
}

function describeTrainingState(state: LoadedCheckpoint['trainingState'], found: boolean): RestoreMessage[] {
  if (!found) return [warning('⚠ Training state not found, starting from step 0')];
  return [
    info('✓ Training state loaded:'),
    info(`  Global step: ${state.global_step}`),
    info(`  Best accuracy: ${state.best_accuracy.toFixed(4)}`),
    info(`  Evals without improvement: ${state.evals_without_improvement}`),
  ];
}

function misfit(error: CheckpointError): RestoreMessage {
  return warning(`⚠ Optimizer state does not fit, starting with fresh optimizer: ${error.message}`);
}

function info(text: string): RestoreMessage {
  return { level: 'INFO', text };
}

function warning(text: string): RestoreMessage {
  return { level: 'WARNING', text };
}
