import type { Manifest } from '../../contracts/checkpoint.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';
import { type CheckpointId, isSameCheckpoint } from './checkpoint-keys.ts';
import { onLineage, resolveName } from './lineage.ts';

export interface RetentionPlan {
  keep: Manifest[];
  /** In the order in which they should go. */
  remove: Manifest[];
}

/**
 * Which checkpoints of a run stay (pure). `limit` (`save_total_limit`) counts the checkpoints saved for their step, a save on request among them:
 * the newest on the lineage stay, and those off it only while there is room. The newest, the best and the final one of the lineage and whatever is
 * in `protect` stay outside the count. Checkpoints of other runs are never touched.
 */
export function planRetention({
  run,
  manifests,
  lineage,
  limit,
  protect,
}: {
  run: string;
  manifests: readonly Manifest[];
  lineage: readonly LineageLink[];
  limit: number;
  protect: readonly CheckpointId[];
}): RetentionPlan {
  const own = manifests.filter((manifest) => manifest.run === run);
  const line = onLineage(own, lineage);
  const aside = own
    .filter((manifest) => !line.includes(manifest))
    .sort((a, b) => b.created_at.localeCompare(a.created_at) || b.step - a.step);
  const window = [...line.filter(countsAsStep), ...aside].slice(0, limit);
  const named = ['latest', 'best', 'final'].map((name) => resolveName(name, { run, manifests, lineage }));
  const stays = (manifest: Manifest) =>
    window.includes(manifest) || named.includes(manifest) || protect.some((id) => isSameCheckpoint(id, manifest));
  return {
    keep: own.filter(stays),
    remove: [...aside.reverse(), ...line.reverse()].filter((manifest) => !stays(manifest)),
  };
}

/** The checkpoints that `checkpoints/` of the run's tree shows: the newest `limit` of the run's own on the lineage. */
export function shownCheckpoints({
  run,
  manifests,
  lineage,
  limit,
}: {
  run: string;
  manifests: readonly Manifest[];
  lineage: readonly LineageLink[];
  limit: number;
}): Manifest[] {
  const steps = new Set<number>();
  return onLineage(manifests, lineage)
    .filter((manifest) => manifest.run === run && countsAsStep(manifest))
    .filter(({ step }) => !steps.has(step) && steps.add(step))
    .slice(0, limit);
}

/** Whether it was saved for its step or on request; one that is only the best or the final one is kept elsewhere. */
function countsAsStep({ purposes }: Manifest): boolean {
  return purposes.includes('step') || purposes.includes('stop');
}
