import type { Manifest } from '../../contracts/checkpoint.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';

/**
 * What checkpoint names mean. A lineage is the chain of attempts that a run's state descends from, newest first: the current attempt, then the one
 * it resumed from up to the step of that checkpoint, and so on, across forks. Everything here is pure.
 */

/** The checkpoints on a lineage, newest first. Of two at one step the one of the newer attempt comes first. */
export function onLineage<M extends Pick<Manifest, 'run' | 'attempt' | 'step'>>(
  manifests: readonly M[],
  lineage: readonly LineageLink[],
): M[] {
  return lineage.flatMap((link) =>
    manifests
      .filter(({ run, attempt, step }) => {
        return run === link.run && attempt === link.attempt && step <= (link.upToStep ?? Number.POSITIVE_INFINITY);
      })
      .sort((a, b) => b.step - a.step),
  );
}

/**
 * The checkpoint that a name means, or undefined. `latest`, `best`, `final` and `checkpoint-<step>` follow the lineage;
 * `a<attempt>/checkpoint-<step>` means any of `run`.
 */
export function resolveName(
  name: string,
  { run, manifests, lineage }: { run: string; manifests: readonly Manifest[]; lineage: readonly LineageLink[] },
): Manifest | undefined {
  const line = onLineage(manifests, lineage);
  if (name === 'latest') return line[0];
  if (name === 'best') return bestSaves(line)[0];
  if (name === 'final') return line.find(({ purposes }) => purposes.includes('final'));
  const match = /^(?:a(\d+)\/)?checkpoint-(\d+)$/.exec(name);
  if (match === null) return undefined;
  const step = Number(match[2]);
  if (match[1] === undefined) return line.find((manifest) => manifest.step === step);
  const attempt = Number(match[1]);
  return manifests.find((manifest) => manifest.run === run && manifest.attempt === attempt && manifest.step === step);
}

/**
 * Those of a lineage (newest first) that were the best when they were saved, best first: each beats the ones before it. Of equally good ones the
 * earliest counts.
 */
export function bestSaves<M extends Pick<Manifest, 'purposes' | 'best_metric'>>(line: readonly M[]): M[] {
  const bests = line.filter(({ purposes }) => purposes.includes('best'));
  return bests.filter(({ best_metric }, at) => best_metric === null || bests[at + 1]?.best_metric !== best_metric);
}

/** Where an attempt started from, as far as lineage needs it. */
export interface ResumedAttempt {
  resumed_run: string | null;
  resumed_attempt: number | null;
  resumed_step: number | null;
}

/** The lineage of a checkpoint: its attempt up to its step, then what that attempt resumed from, and so on. */
export function lineageOf(
  { run, attempt, step }: Pick<Manifest, 'run' | 'attempt' | 'step'>,
  attemptOf: (run: string, attempt: number) => ResumedAttempt | undefined,
): LineageLink[] {
  const links: LineageLink[] = [];
  for (let link: LineageLink | null = { run, attempt, upToStep: step }; link !== null; ) {
    links.push(link);
    const from: ResumedAttempt | undefined = attemptOf(link.run, link.attempt);
    link =
      from === undefined || from.resumed_run === null || from.resumed_attempt === null
        ? null
        : { run: from.resumed_run, attempt: from.resumed_attempt, upToStep: from.resumed_step };
  }
  return links;
}
