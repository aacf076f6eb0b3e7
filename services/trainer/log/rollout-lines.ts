import type { RolloutGroup } from '../rollout/collect-rollouts.ts';
import type { ComponentLog } from './component-logs.ts';
import { rolloutAction, rolloutCompleted, rolloutTask, rolloutTurn } from './messages.ts';

/** Tells each rollout of a group: its turns at DEBUG, how it went at INFO. */
export function logRollouts(log: ComponentLog, { task, rollouts }: RolloutGroup): void {
  if (!log.enabled('INFO')) return;
  for (const [i, rollout] of rollouts.entries()) {
    const fields = { task: task.id, rollout: i + 1 };
    log.info(rolloutTask(task.id, i + 1, rollouts.length), fields);
    log.debug(rolloutAction(1, 'answer', rollout.text), fields);
    log.debug(rolloutTurn(1, rollout.success), fields);
    log.info(rolloutCompleted(rollout.turns, rollout.reward, rollout.success), fields);
  }
}
