import { duration, fixed } from './format.ts';

/** How a run ended, as its last block of log says it (requirement G5). */
export interface RunSummary {
  readonly steps: number;
  readonly totalSteps: number;
  /** null when nothing was evaluated. */
  readonly bestAccuracy: number | null;
  readonly bestModelPath: string | null;
  readonly elapsedSeconds: number;
  readonly targetAccuracy: number | null;
  readonly stoppedEarly: string | null;
}

const RULE = '='.repeat(60);

export function runSummary(summary: RunSummary): string {
  return [
    RULE,
    'TRAINING SUMMARY',
    RULE,
    `  Steps: ${summary.steps}/${summary.totalSteps}`,
    `  Best accuracy: ${summary.bestAccuracy === null ? 'not evaluated' : fixed(summary.bestAccuracy, 4)}`,
    `  Best model: ${summary.bestModelPath ?? 'none'}`,
    `  Total time: ${duration(summary.elapsedSeconds)}`,
    `  Target accuracy reached: ${targetReached(summary)}`,
    ...(summary.stoppedEarly === null ? [] : [`  Stopped early: ${summary.stoppedEarly}`]),
    RULE,
  ].join('\n');
}

function targetReached({ targetAccuracy, bestAccuracy }: RunSummary): string {
  if (targetAccuracy === null) return 'no target set';
  const reached = bestAccuracy !== null && bestAccuracy >= targetAccuracy;
  return `${reached ? 'yes' : 'no'} (target ${fixed(targetAccuracy, 2)})`;
}
