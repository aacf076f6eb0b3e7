import type { ResumeCandidate } from '../../contracts/agent-operations.ts';
import type { Checkpoint, Manifest } from '../../contracts/checkpoint.ts';
import { eachLimited } from '../../platform/each-limited.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import { ProblemError } from '../api/problem-error.ts';
import { checkpointLabel, checkpointPrefix } from './checkpoint-keys.ts';
import { type CheckpointFacts, type CheckpointScope, viewCheckpoints } from './checkpoint-view.ts';
import { LINK_SECONDS } from './fetch-file.ts';
import { lineageOf, onLineage, type ResumedAttempt, resolveName } from './lineage.ts';

/** What an attempt may start from. */
export interface Candidates {
  /**
   * Checkpoints to start from, best choice first: what `from` means, then a few older ones on its lineage for the case that it does not verify.
   * Empty when `latest` means none; throws checkpoint-unusable when another name means none.
   */
  candidates(run: string, from: string): ResumeCandidate[];
  /** The same with URLs that their files are fetched from, where the store is no directory; they hold for `LINK_SECONDS`. */
  withLinks(candidates: readonly ResumeCandidate[]): Promise<ResumeCandidate[]>;
}

/** Older checkpoints that are offered for the case that the chosen one is damaged; more would make what a trainer is sent grow with its run. */
const OLDER_CANDIDATES = 20;
const CANDIDATES_AT_ONCE = 2;

export interface CandidateOptions {
  store: Pick<ObjectStore, 'localDirectory' | 'transfers'>;
  attempts: { get(run: string, attempt: number): ResumedAttempt | undefined };
  view: (run: string) => CheckpointScope;
  facts: CheckpointFacts;
}

export function createCandidates({ store, attempts, view, facts }: CandidateOptions): Candidates {
  const toCandidate = (manifest: Manifest): ResumeCandidate => ({
    label: checkpointLabel(manifest),
    manifest,
    directory: store.localDirectory(checkpointPrefix(manifest)),
    urls: null,
  });

  return {
    candidates: (run, from) => {
      const { manifests, lineage } = view(run);
      const first = resolveName(from, { run, manifests, lineage });
      if (first === undefined) {
        if (from === 'latest') return [];
        throw new ProblemError(
          'checkpoint-unusable',
          `${run} has no checkpoint ${from}; it has ${names(viewCheckpoints(view(run), facts))}.`,
        );
      }
      const older = onLineage(manifests, lineageOf(first, attempts.get)).filter((each) => each !== first);
      return [first, ...older.slice(0, OLDER_CANDIDATES)].map(toCandidate);
    },
    withLinks: (candidates) =>
      eachLimited(candidates, CANDIDATES_AT_ONCE, async (candidate) => {
        const { transfers } = store;
        const { manifest } = candidate;
        if (manifest === null || candidate.directory !== null || transfers === null) return candidate;
        const links = await eachLimited(manifest.files, CANDIDATES_AT_ONCE, async ({ path }) => {
          const key = checkpointPrefix(manifest) + path;
          return [path, await transfers.link(key, { seconds: LINK_SECONDS, audience: 'trainer' })] as const;
        });
        return { ...candidate, urls: Object.fromEntries(links) };
      }),
  };
}

/** A folder that was saved by someone else, without a manifest, as something to start from. */
export function foreignCandidate(directory: string): ResumeCandidate {
  return { label: directory, manifest: null, directory, urls: null };
}

function names(checkpoints: readonly Checkpoint[]): string {
  return checkpoints.length === 0 ? 'none' : checkpoints.map(({ name }) => name).join(', ');
}
