/** What a verbose step tells of its groups (requirement G4). Times in seconds. */
export interface GroupSummary {
  readonly totalGroups: number;
  readonly groupsKept: number;
  readonly groupsFiltered: number;
  readonly rollouts: number;
  readonly finishedEarly: number;
  readonly rolloutSeconds: number;
  readonly trainingSeconds: number;
  readonly trainableTokens: number;
  readonly totalTokens: number;
}

const RULE = '='.repeat(60);

/** Marks where a step begins in a verbose log. */
export function stepMarker(step: number, totalSteps: number): string {
  return `${RULE}\nSTEP ${step}/${totalSteps}\n${RULE}`;
}

export function phaseMarker(phase: 'rollout' | 'advantages' | 'backpropagation'): string {
  return `--- Phase: ${phase} ---`;
}

export function groupSummary(summary: GroupSummary): string {
  const share = summary.totalTokens === 0 ? 0 : (100 * summary.trainableTokens) / summary.totalTokens;
  return [
    'Group Summary:',
    `  Total groups: ${summary.totalGroups}`,
    `  Groups kept for training: ${summary.groupsKept}`,
    `  Groups filtered (low variance): ${summary.groupsFiltered}`,
    `  Rollouts finished early: ${summary.finishedEarly}/${summary.rollouts}`,
    `  Total rollout time: ${summary.rolloutSeconds.toFixed(1)}s`,
    `  Total training time: ${summary.trainingSeconds.toFixed(1)}s`,
    `  Trainable tokens: ${summary.trainableTokens}/${summary.totalTokens} (${share.toFixed(1)}%)`,
  ].join('\n');
}
