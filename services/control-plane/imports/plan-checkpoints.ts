import type { CheckpointPurpose } from '../../contracts/checkpoint.ts';
import type { FoundCheckpoint } from './find-checkpoints.ts';
import type { LeftOut } from './import-folder.ts';
import type { CheckpointState } from './read-state.ts';

export interface ReadCheckpoint {
  readonly found: FoundCheckpoint;
  readonly state: CheckpointState;
  /** Bytes of all its files. */
  readonly size: number;
}

/** A checkpoint that an import makes. */
export interface PlannedCheckpoint extends ReadCheckpoint {
  readonly step: number;
  readonly purposes: readonly CheckpointPurpose[];
}

/** What is known of steps beside the checkpoints' own files. */
export interface KnownSteps {
  /** Training samples at steps, by the training log. */
  readonly samples: readonly { readonly step: number; readonly samples: number }[];
  /** The step of the best checkpoint by the training log. */
  readonly best: number | null;
  /** The last step that any log knows. */
  readonly last: number | null;
}

/**
 * Gives each checkpoint its step and purposes, oldest first (pure). Several folders of one step are one checkpoint: the most complete is taken, and it is
 * `best` or `final` when any of them is. Where nothing tells the step, `final` is at the last one known, and anything else at 0.
 */
export function planCheckpoints(
  all: readonly ReadCheckpoint[],
  known: KnownSteps,
): { planned: PlannedCheckpoint[]; leftOut: LeftOut[] } {
  const leftOut: LeftOut[] = [];
  const certain = all.map((each) => ownStep(each, known));
  const last = Math.max(0, known.last ?? 0, ...certain.map((step) => step ?? 0));
  const byStep = new Map<number, ReadCheckpoint[]>();
  for (const [index, each] of all.entries()) {
    const guessed = each.found.purpose === 'final' ? last : each.found.purpose === 'best' ? (known.best ?? 0) : 0;
    const step = certain[index] ?? guessed;
    const same = byStep.get(step);
    if (same === undefined) byStep.set(step, [each]);
    else same.push(each);
  }
  const planned = [...byStep]
    .sort(([a], [b]) => a - b)
    .map(([step, same]): PlannedCheckpoint => {
      const [chosen, ...others] = [...same].sort((a, b) => rank(b) - rank(a)) as [ReadCheckpoint, ...ReadCheckpoint[]];
      for (const { found } of others) {
        const why = `is at step ${step} like ${chosen.found.folder === '' ? 'the folder itself' : chosen.found.folder}, which is taken`;
        leftOut.push({ path: found.folder === '' ? '.' : found.folder, why });
      }
      const purposes = new Set<CheckpointPurpose>(
        same.flatMap(({ found, state }) => [found.purpose, ...(state.manifest?.purposes ?? [])]),
      );
      if (known.best === step) purposes.add('best');
      return {
        ...chosen,
        step,
        purposes: ['step', 'best', 'final', 'stop'].filter((each) =>
          purposes.has(each as CheckpointPurpose),
        ) as CheckpointPurpose[],
      };
    });
  return { planned, leftOut };
}

/** What a checkpoint has that another of its step may lack: state first, then the size of what is there. */
function rank({ found: { parts }, state, size }: ReadCheckpoint): number {
  const present = [
    state.manifest,
    parts.optimizer,
    parts.trainingState ?? parts.trainerState,
    parts.tokenizer,
    parts.rng,
  ];
  return present.filter((each) => each !== null).length + Math.min(0.5, size / 2 ** 60);
}

function ownStep({ found: { number }, state }: ReadCheckpoint, { samples }: KnownSteps): number | null {
  if (state.step !== null) return state.step;
  if (state.manifest !== null) return state.manifest.step;
  if (number === null) return null;
  if (number.of === 'steps') return number.value;
  return samples.findLast((row) => row.samples <= number.value)?.step ?? number.value;
}

/** What a checkpoint has and this one lacks; it starts afresh. */
export function missingParts({ parts }: FoundCheckpoint): string[] {
  const all: readonly (readonly [string, string | null])[] = [
    ['optimizer.pt', parts.optimizer],
    ['scheduler.pt', parts.scheduler],
    ['rng_state.json', parts.rng],
    ['training_state.json', parts.trainingState ?? parts.trainerState],
    ['tokenizer/', parts.tokenizer],
  ];
  return all.filter(([, present]) => present === null).map(([name]) => name);
}
