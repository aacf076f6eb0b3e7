import type { Manifest } from '../../contracts/checkpoint.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';
import { type CheckpointId, isSameCheckpoint } from './checkpoint-keys.ts';
import { bestSaves, onLineage, resolveName } from './lineage.ts';

/** How many checkpoints a run keeps, as its spec says. */
export interface RetentionRules {
  /** `training.save_total_limit` */
  limit: number;
  /** `checkpoint.keep_best` */
  keepBest: number;
  /** `checkpoint.keep_every`, in steps; null: none. */
  keepEvery: number | null;
}

/** What becomes of a checkpoint, and the rule that says so. */
export interface RetentionVerdict {
  manifest: Manifest;
  why: string;
}

export interface RetentionPlan {
  keep: RetentionVerdict[];
  /** In the order in which they should go. */
  remove: RetentionVerdict[];
}

export interface RetentionInput {
  run: string;
  /** Those of the run, and of the runs its lineage goes back to. */
  manifests: readonly Manifest[];
  lineage: readonly LineageLink[];
  rules: RetentionRules;
  /** What runs need; see `neededCheckpoints` of `runs/`. */
  protect: readonly CheckpointId[];
  /** What users have pinned. */
  pinned: readonly CheckpointId[];
}

export function retentionRules({ training, checkpoint }: RunSpec): RetentionRules {
  return { limit: training.save_total_limit, keepBest: checkpoint.keep_best, keepEvery: checkpoint.keep_every };
}

/**
 * Which checkpoints of a run stay (pure). The limit counts the checkpoints saved for their step, a save on request among them: the newest on the
 * lineage stay, and those off it only while there is room. Outside the count stay the newest, the final one, the last `keepBest` of those that
 * were the best when they were saved, every multiple of `keepEvery`, what is pinned and what runs need. Checkpoints of other runs are never
 * touched.
 */
export function planRetention(input: RetentionInput): RetentionPlan {
  const { run, manifests, lineage } = input;
  const own = manifests.filter((manifest) => manifest.run === run);
  const line = onLineage(own, lineage);
  const aside = own
    .filter((manifest) => !line.includes(manifest))
    .sort((a, b) => b.created_at.localeCompare(a.created_at) || b.step - a.step);
  const keptBy = rulesThatKeep(input, [...line.filter(countsAsStep), ...aside]);
  const verdicts = new Map(own.map((manifest) => [manifest, keptBy(manifest)]));
  const keep = own.filter((manifest) => verdicts.get(manifest) !== '');
  const none = `not among the newest ${input.rules.limit} (save_total_limit), and no other rule keeps it`;
  return {
    keep: keep.map((manifest) => ({ manifest, why: verdicts.get(manifest) ?? '' })),
    remove: [...aside.reverse(), ...line.reverse()]
      .filter((manifest) => !keep.includes(manifest))
      .map((manifest) => ({ manifest, why: line.includes(manifest) ? none : `left behind by a resume, ${none}` })),
  };
}

/** Every rule that keeps a checkpoint, in words; empty when none does. `counted`: what the limit counts, in the order in which it takes them. */
function rulesThatKeep(
  { run, manifests, lineage, rules, protect, pinned }: RetentionInput,
  counted: readonly Manifest[],
): (manifest: Manifest) => string {
  const context = { run, manifests, lineage };
  const latest = resolveName('latest', context);
  const final = resolveName('final', context);
  const window = counted.slice(0, rules.limit);
  const bests = bestSaves(onLineage(manifests, lineage)).slice(0, rules.keepBest);
  const isIn = (ids: readonly CheckpointId[], manifest: Manifest) => ids.some((id) => isSameCheckpoint(id, manifest));
  return (manifest) =>
    [
      isIn(pinned, manifest) && 'pinned',
      isIn(protect, manifest) && 'a run starts or resumes from it, or a fork has it as its latest or best',
      manifest === latest && 'the newest (latest)',
      manifest === final && 'the final one (final)',
      manifest === bests[0] && 'the best (best)',
      manifest !== bests[0] && bests.includes(manifest) && `among the ${rules.keepBest} best (checkpoint.keep_best)`,
      window.includes(manifest) && `among the newest ${rules.limit} (save_total_limit)`,
      rules.keepEvery !== null &&
        manifest.step % rules.keepEvery === 0 &&
        `step is a multiple of ${rules.keepEvery} (checkpoint.keep_every)`,
    ]
      .filter((rule) => rule !== false)
      .join('; ');
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
