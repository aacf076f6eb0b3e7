import type { TrainingMetadata, TrainingState } from '../contracts/checkpoint.ts';
import { metricValue } from './best.ts';

/** Keys of `training_metadata.json` (requirement C1) and the metric each shows; null where the method has no such metric. */
const shown: Readonly<Record<string, string>> = {
  loss: 'train/loss',
  policy_loss: 'train/policy_loss',
  kl_loss: 'train/kl_loss',
  avg_reward: 'train/avg_reward',
  median_reward: 'train/median_reward',
  avg_score: 'eval/avg_score',
  avg_hits: 'eval/avg_hits',
  reward_std: 'train/reward_std',
};

/** What a person or a script reads to choose among checkpoints. */
export function trainingMetadata(
  state: TrainingState,
  recorded: ReadonlyMap<string, number>,
  config: Record<string, unknown>,
): TrainingMetadata {
  const metrics = Object.entries(shown).map(([key, name]) => [key, metricValue(name, recorded) ?? null]);
  return {
    step: state.global_step,
    accuracy: metricValue('eval/accuracy', recorded) ?? null,
    metrics: Object.fromEntries(metrics),
    config,
  };
}
