import type { Checkpoint, Manifest } from '../../contracts/checkpoint.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';
import type { CheckpointId } from './checkpoint-keys.ts';
import { onLineage, resolveName } from './lineage.ts';

const ALIASES = ['latest', 'best', 'final'] as const;

/** What a run can name: its own checkpoints, and those of the runs that it descends from. */
export interface CheckpointScope {
  run: string;
  manifests: readonly Manifest[];
  lineage: readonly LineageLink[];
}

/** What is known of a checkpoint beside its manifest. */
export interface CheckpointFacts {
  isPinned: (id: CheckpointId) => boolean;
  /** Label of the checkpoint, or the folder, that an attempt has resumed from; null from the beginning. */
  parentOf: (id: CheckpointId) => string | null;
}

/** The checkpoints of a run as the API lists them, newest first. */
export function viewCheckpoints(scope: CheckpointScope, facts: CheckpointFacts): Checkpoint[] {
  const view = viewer(scope, facts);
  return scope.manifests
    .filter(({ run }) => run === scope.run)
    .sort((a, b) => b.attempt - a.attempt || b.step - a.step)
    .map(view);
}

/** One of them, or one that the run has inherited. */
export function viewCheckpoint(manifest: Manifest, scope: CheckpointScope, facts: CheckpointFacts): Checkpoint {
  return viewer(scope, facts)(manifest);
}

function viewer(
  { run, manifests, lineage }: CheckpointScope,
  { isPinned, parentOf }: CheckpointFacts,
): (manifest: Manifest) => Checkpoint {
  const line = onLineage(manifests, lineage);
  const named = ALIASES.map((alias) => [alias, resolveName(alias, { run, manifests, lineage })] as const);
  return (manifest) => ({
    name:
      line.find(({ step }) => step === manifest.step) === manifest
        ? manifest.name
        : `a${manifest.attempt}/${manifest.name}`,
    attempt: manifest.attempt,
    step: manifest.step,
    aliases: named.filter(([, target]) => target === manifest).map(([alias]) => alias),
    purposes: manifest.purposes,
    on_lineage: line.includes(manifest),
    policy_version: manifest.policy_version,
    size: sizeOf(manifest),
    created_at: manifest.created_at,
    metrics: manifest.metrics,
    pinned: isPinned(manifest),
    parent: parentOf(manifest),
    files: manifest.files,
  });
}

/** Bytes of all files of a checkpoint. */
export function sizeOf({ files }: Pick<Manifest, 'files'>): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}
