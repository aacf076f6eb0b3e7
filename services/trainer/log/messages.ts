import type { RolloutsProgress } from '../../contracts/record.ts';
import { decimal, duration, fixed, quoted, truth } from './format.ts';

/*
 * The lines people grep for (requirements G3, C5), to the letter. What a terminal puts before them is the control plane's matter.
 */

export function stepLine(at: {
  readonly step: number;
  readonly totalSteps: number;
  readonly elapsedSeconds: number;
  readonly etaSeconds: number | null;
}): string {
  const percent = at.totalSteps === 0 ? 100 : (100 * at.step) / at.totalSteps;
  const eta = at.etaSeconds === null ? 'unknown' : duration(at.etaSeconds);
  return `Step ${at.step}/${at.totalSteps} (${percent.toFixed(1)}%) | elapsed ${duration(at.elapsedSeconds)} | ETA ${eta}`;
}

export function collectingRollouts(tasks: number, rollouts: number): string {
  return `Collecting rollouts: ${tasks} tasks × ${rollouts} rollouts`;
}

export function rolloutsCollected(seconds: number, successRate: number): string {
  return `Rollouts collected | time=${seconds.toFixed(1)}s | success_rate=${fixed(successRate, 2)}`;
}

/** What rollouts do that go on while the policy is trained. */
export function rolloutsAhead({ state, in_flight: inFlight, buffered }: RolloutsProgress): string {
  return `Rollouts: ${state.replaceAll('_', ' ')} | in_flight=${inFlight} | buffered=${buffered}`;
}

/** @param at seconds; policy versions; groups */
export function waitedForRollouts(at: { waited: number; stalest: number; dropped: number }): string {
  return `Waited for rollouts | time=${at.waited.toFixed(1)}s | staleness_max=${at.stalest} | stale_dropped=${at.dropped}`;
}

export function computingAdvantages(kept: number, filtered: number): string {
  return `Computing GRPO advantages | groups_kept=${kept} | groups_filtered=${filtered}`;
}

/** A method without a policy loss gives the loss alone. */
export function trainingStep(loss: {
  readonly loss: number;
  readonly policyLoss?: number;
  readonly klLoss?: number;
}): string {
  const parts = [`Training step | loss=${fixed(loss.loss, 3)}`];
  if (loss.policyLoss !== undefined) parts.push(`policy_loss=${fixed(loss.policyLoss, 3)}`);
  if (loss.klLoss !== undefined) parts.push(`kl_loss=${fixed(loss.klLoss, 3)}`);
  return parts.join(' | ');
}

export function preferenceStep(loss: number, at: { readonly accuracy: number; readonly rewardMargin: number }): string {
  return `${trainingStep({ loss })} | accuracy=${fixed(at.accuracy, 2)} | reward_margin=${fixed(at.rewardMargin, 3)}`;
}

export function evalStep(accuracy: number, reward: number, std: number): string {
  return `Eval step | accuracy=${fixed(accuracy, 2)} | reward=${fixed(reward, 3)} | std=${fixed(std, 3)}`;
}

export function checkpointSaved(step: number): string {
  return `Checkpoint saved: checkpoint-${step}`;
}

export function rolloutTask(task: string, rollout: number, rollouts: number): string {
  return `[ROLLOUT] Task ${task} | Rollout ${rollout}/${rollouts}`;
}

export function rolloutAction(turn: number, action: string, target: string): string {
  return `[ROLLOUT] Turn ${turn}: action=${action}, target=${quoted(target)}`;
}

export function rolloutTurn(turn: number, success: boolean): string {
  return `[ROLLOUT] Turn ${turn}: success=${truth(success)}`;
}

export function rolloutCompleted(turns: number, reward: number, success: boolean): string {
  return `[ROLLOUT] Completed | turns=${turns} | reward=${decimal(reward)} | success=${truth(success)}`;
}

export function resumedFrom(step: number, epoch: number): string {
  return `Resumed from step ${step}, epoch ${epoch}`;
}
