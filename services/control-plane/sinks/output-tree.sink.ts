import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../contracts/checkpoint.ts';
import { makeDirectory } from '../../platform/atomic-file.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { isSameCheckpoint } from '../checkpoints/checkpoint-keys.ts';
import { buildCheckpoint, placedManifest } from './place-checkpoint.ts';
import type { Sink, SinkTarget } from './sink.ts';

/** Where directories are built and where they go to be deleted; no half-made or half-deleted one is ever seen under a real name. */
export const STAGING = '.tandem-staging';

/**
 * `checkpoints/checkpoint-<step>/`, `best_model/` and `final/` of the run's tree, as copies of what the store holds. What goes is moved out before
 * what comes is moved in, so `checkpoints/` never shows more than `save_total_limit`. A directory of such a name that was not placed
 * by this run is left alone, and an error says so.
 */
export function createOutputTreeSink({
  target,
  checkpoints,
}: {
  target: SinkTarget;
  checkpoints: Pick<CheckpointService, 'shown' | 'directory' | 'read'>;
}): Sink {
  const { run, tree, spec } = target;
  const staging = join(tree, STAGING);
  let staged = 0;
  const stagedPath = () => join(staging, `${process.pid}-${++staged}`);

  const retire = async (path: string) => {
    await makeDirectory(staging);
    await rename(path, stagedPath());
  };

  /** Makes `path` a copy of `wanted`, or nothing. */
  const place = async (path: string, wanted: Manifest | undefined) => {
    const placed = await placedManifest(path);
    if (placed !== null && wanted !== undefined && isCopyOf(placed, wanted)) return;
    const taken = await exists(path);
    if (wanted === undefined) {
      if (placed !== null) await retire(path);
      return;
    }
    if (taken && placed === null) {
      throw new Error(
        `${path} exists and was not written by ${run}; move it away, then ${wanted.name} is placed there.`,
      );
    }
    const built = stagedPath();
    await buildCheckpoint(checkpoints, wanted, built);
    if (taken) await retire(path);
    await rename(built, path);
  };

  return {
    name: join(tree, 'checkpoints'),
    wakesOn: ['checkpoints'],
    async catchUp() {
      const { steps, best, final } = checkpoints.shown(run, spec.training.save_total_limit);
      const directory = join(tree, 'checkpoints');
      await rm(staging, { recursive: true, force: true });
      await makeDirectory(directory);
      const wanted = new Map(steps.map((manifest) => [manifest.name, manifest]));
      for (const name of await checkpointNames(directory)) {
        if (!wanted.has(name)) await place(join(directory, name), undefined);
      }
      for (const manifest of steps.reverse()) await place(join(directory, manifest.name), manifest);
      await place(join(tree, 'best_model'), best);
      await place(join(tree, 'final'), final);
      await rm(staging, { recursive: true, force: true });
    },
  };
}

function isCopyOf(placed: Manifest, wanted: Manifest): boolean {
  return isSameCheckpoint(placed, wanted) && placed.created_at === wanted.created_at;
}

async function checkpointNames(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => /^checkpoint-\d+$/.test(name));
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}
