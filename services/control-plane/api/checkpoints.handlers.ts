import type { Manifest } from '../../contracts/checkpoint.ts';
import type { Operations } from '../../contracts/operations.ts';
import type { ObjectStore } from '../../platform/object-store.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { checkpointPrefix } from '../checkpoints/checkpoint-keys.ts';
import { retentionRules } from '../checkpoints/retention.ts';
import { reportRetention } from '../checkpoints/retention-report.ts';
import { noCheckpoint } from '../checkpoints/user-changes.ts';
import { neededCheckpoints } from '../runs/needed-checkpoints.ts';
import type { RunStore } from '../runs/run.store.ts';
import { type Handlers, STREAMED } from './handlers.ts';
import { ProblemError } from './problem-error.ts';
import { sendFile } from './send-file.ts';

export interface CheckpointHandlerOptions {
  runs: Pick<RunStore, 'get' | 'startsFrom' | 'dependants'>;
  checkpoints: Pick<
    CheckpointService,
    'list' | 'show' | 'resolve' | 'pin' | 'unpin' | 'discard' | 'prune' | 'planPrune'
  >;
  store: Pick<ObjectStore, 'head' | 'read' | 'transfers'>;
  /** Throws conflict while a run that has not ended needs the checkpoint. */
  requireUnused: (manifest: Manifest) => void;
}

type CheckpointHandlers = Pick<
  Handlers<Operations>,
  | 'listCheckpoints'
  | 'getCheckpoint'
  | 'getCheckpointFile'
  | 'pinCheckpoint'
  | 'unpinCheckpoint'
  | 'deleteCheckpoint'
  | 'pruneCheckpoints'
>;

/** Checkpoints of a run: what there is, the bytes of their files, which are kept and which go. */
export function createCheckpointHandlers(options: CheckpointHandlerOptions): CheckpointHandlers {
  const { runs, checkpoints, store, requireUnused } = options;
  const requireRun = (id: string) => {
    const run = runs.get(id);
    if (run === undefined)
      throw new ProblemError('not-found', `There is no run ${id}; GET /runs lists those there are.`);
    return run;
  };
  const requireShown = (run: string, name: string) => {
    requireRun(run);
    const checkpoint = checkpoints.show(run, name);
    if (checkpoint === undefined) throw noCheckpoint(run, name);
    return checkpoint;
  };

  return {
    listCheckpoints: async ({ params: { id } }) => {
      requireRun(id);
      return { status: 200, body: { checkpoints: checkpoints.list(id) } };
    },

    getCheckpoint: async ({ params: { id, name } }) => ({ status: 200, body: requireShown(id, name) }),

    getCheckpointFile: async ({ params: { id, name, path }, query: { redirect } }, exchange) => {
      requireRun(id);
      const manifest = checkpoints.resolve(id, name);
      if (manifest === undefined) throw noCheckpoint(id, name);
      // Only what the manifest names is served, so no path can lead anywhere else.
      const file = manifest.files.find((one) => one.path === path);
      if (file === undefined) {
        throw new ProblemError(
          'not-found',
          `${manifest.name} of ${id} has no file ${path}; GET /runs/${id}/checkpoints/${name} lists those there are.`,
        );
      }
      await sendFile(exchange, { store, key: checkpointPrefix(manifest) + file.path, file, redirect });
      return STREAMED;
    },

    pinCheckpoint: async ({ params: { id, name } }) => {
      requireRun(id);
      const manifest = await checkpoints.pin(id, name);
      return { status: 200, body: requireShown(id, stableName(id, name, manifest)) };
    },

    unpinCheckpoint: async ({ params: { id, name } }) => {
      requireRun(id);
      const manifest = await checkpoints.unpin(id, name);
      return { status: 200, body: requireShown(id, stableName(id, name, manifest)) };
    },

    deleteCheckpoint: async ({ params: { id, name } }) => {
      requireRun(id);
      await checkpoints.discard(id, name, requireUnused);
      return { status: 204 };
    },

    pruneCheckpoints: async ({ params: { id }, query: { dry_run: dryRun } }) => {
      const { spec } = requireRun(id);
      const options = { rules: retentionRules(spec), protect: neededCheckpoints(id, { runs, checkpoints }) };
      const report = await (dryRun ? checkpoints.planPrune(id, options) : checkpoints.prune(id, options));
      return { status: 200, body: reportRetention(report, dryRun) };
    },
  };
}

/** A name that still means the checkpoint when a newer one has come meanwhile. What is inherited has no name but the one on the lineage. */
function stableName(run: string, name: string, manifest: Manifest): string {
  return manifest.run === run ? `a${manifest.attempt}/${manifest.name}` : name;
}
