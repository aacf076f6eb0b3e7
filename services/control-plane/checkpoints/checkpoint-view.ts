import type { Checkpoint, Manifest } from '../../contracts/checkpoint.ts';
import type { LineageLink } from '../attempts/attempt.store.ts';
import { onLineage, resolveName } from './lineage.ts';

const ALIASES = ['latest', 'best', 'final'] as const;

/** The checkpoints of a run as the API lists them, newest first. */
export function viewCheckpoints({
  run,
  manifests,
  lineage,
  attemptOf,
}: {
  run: string;
  manifests: readonly Manifest[];
  lineage: readonly LineageLink[];
  attemptOf: (run: string, attempt: number) => { resumed_from: string | null } | undefined;
}): Checkpoint[] {
  const line = onLineage(manifests, lineage);
  const named = ALIASES.map((alias) => [alias, resolveName(alias, { run, manifests, lineage })] as const);
  return manifests
    .filter((manifest) => manifest.run === run)
    .sort((a, b) => b.attempt - a.attempt || b.step - a.step)
    .map((manifest) => ({
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
      size: manifest.files.reduce((sum, { size }) => sum + size, 0),
      created_at: manifest.created_at,
      metrics: manifest.metrics,
      pinned: false,
      parent: attemptOf(run, manifest.attempt)?.resumed_from ?? null,
      files: manifest.files,
    }));
}
