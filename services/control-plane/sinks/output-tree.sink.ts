import { lstat, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Manifest } from '../../contracts/checkpoint.ts';
import { makeDirectory } from '../../platform/atomic-file.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { isSameCheckpoint } from '../checkpoints/checkpoint-keys.ts';
import { buildCheckpoint, placedManifest } from './place-checkpoint.ts';
import type { Sink, SinkTarget } from './sink.ts';

/** Where directories are built and where they go to be deleted; no half-made or half-deleted one is ever seen under a real name. */
export const STAGING = '.tandem-staging';
const RETIRED = 'retired-';
/** What another directory of the same name is taking the place of; put back when that was never done. */
const REPLACED = 'replaced-';

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
  checkpoints: Pick<CheckpointService, 'shown' | 'fetchFile' | 'read'>;
}): Sink {
  const { run, tree, spec } = target;
  const staging = join(tree, STAGING);
  let retired = 0;

  const retire = async (path: string) => {
    await makeDirectory(staging);
    await rename(path, join(staging, `${RETIRED}${process.pid}-${++retired}`));
  };
  const replace = async (path: string, directory: string) => {
    const replaced = join(staging, REPLACED + basename(path));
    await rm(replaced, { recursive: true, force: true });
    await rename(path, replaced);
    await rename(directory, path);
  };

  /** Makes `path` a copy of `wanted`, or nothing. `beside`: a directory of the tree that may hold the same already. */
  const place = async (path: string, wanted: Manifest | undefined, beside: string | null, signal: AbortSignal) => {
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
    const directory = join(staging, buildName(wanted));
    await buildCheckpoint(checkpoints, wanted, { directory, beside, signal });
    await (taken ? replace(path, directory) : rename(directory, path));
  };

  /** Where the tree shows a checkpoint under its own name. */
  const shownAs = async (manifest: Manifest | undefined): Promise<string | null> =>
    manifest === undefined ? null : heldAside(join(tree, 'checkpoints', manifest.name), manifest);

  return {
    name: join(tree, 'checkpoints'),
    wakesOn: ['checkpoints'],
    async catchUp(_final, signal) {
      const directory = join(tree, 'checkpoints');
      for (const path of [join(tree, 'best_model'), join(tree, 'final')]) await putBack(staging, path);
      const { steps, best, final } = checkpoints.shown(run, spec.training.save_total_limit);
      await clearStaging(staging, [...steps, best, final]);
      await makeDirectory(directory);
      const wanted = new Map(steps.map((manifest) => [manifest.name, manifest]));
      for (const name of await checkpointNames(directory)) {
        if (!wanted.has(name)) await place(join(directory, name), undefined, null, signal);
      }
      for (const manifest of steps.reverse()) {
        const path = join(directory, manifest.name);
        await place(path, manifest, await heldAside(join(tree, 'best_model'), manifest), signal);
      }
      await place(join(tree, 'best_model'), best, await shownAs(best), signal);
      await place(join(tree, 'final'), final, await shownAs(final), signal);
      await rm(staging, { recursive: true, force: true });
    },
  };
}

/** Where a checkpoint is built. What was half built when the control plane ended is gone on with, if it is still wanted. */
function buildName({ attempt, name, created_at }: Manifest): string {
  return `${attempt}-${name}-${Date.parse(created_at)}`;
}

/** After a kill between the two renames of a replacement the name is missing: what had it has it again at once, whether the store answers or not. */
async function putBack(staging: string, path: string): Promise<void> {
  const replaced = join(staging, REPLACED + basename(path));
  if ((await exists(path)) || !(await exists(replaced))) return;
  await rename(replaced, path);
}

async function clearStaging(staging: string, wanted: readonly (Manifest | undefined)[]): Promise<void> {
  const keep = new Set(wanted.filter((manifest) => manifest !== undefined).map(buildName));
  const names = await readdir(staging).catch(() => []);
  for (const name of names) if (!keep.has(name)) await rm(join(staging, name), { recursive: true, force: true });
}

/** The path, if what was placed there is that checkpoint. */
async function heldAside(path: string, manifest: Manifest): Promise<string | null> {
  const placed = await placedManifest(path);
  return placed !== null && isCopyOf(placed, manifest) ? path : null;
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
