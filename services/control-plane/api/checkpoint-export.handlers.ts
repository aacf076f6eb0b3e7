import type { Manifest } from '../../contracts/checkpoint.ts';
import { detectLayout } from '../../contracts/checkpoint-layout.ts';
import type { Operations } from '../../contracts/operations.ts';
import { loraSchema } from '../../contracts/run-spec/model.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { checkpointLabel } from '../checkpoints/checkpoint-keys.ts';
import { exportCheckpoint } from '../checkpoints/export-checkpoint.ts';
import { noCheckpoint } from '../checkpoints/user-changes.ts';
import { readTrainedJson } from '../runs/model-config.ts';
import { RUN_MODEL } from '../runs/model-source.ts';
import { type PathPolicy, PathRefusedError } from '../runs/path-policy.ts';
import type { RunRow, RunStore } from '../runs/run.store.ts';
import type { Handlers } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

export interface CheckpointExportOptions {
  runs: Pick<RunStore, 'get'>;
  checkpoints: Pick<CheckpointService, 'resolve' | 'read'>;
  paths: Pick<PathPolicy, 'absolute'>;
}

/** A checkpoint on its way to where it is served. */
export function createCheckpointExportHandlers({
  runs,
  checkpoints,
  paths,
}: CheckpointExportOptions): Pick<Handlers<Operations>, 'exportCheckpoint'> {
  return {
    exportCheckpoint: async ({ params: { id, name }, query: { directory } }) => {
      const run = runs.get(id);
      if (run === undefined)
        throw new ProblemError('not-found', `There is no run ${id}; GET /runs lists those there are.`);
      const manifest = checkpoints.resolve(id, name);
      if (manifest === undefined) throw noCheckpoint(id, name);
      const { spec } = run;
      const adapter = await readAdapter(manifest, checkpoints);
      const body = exportCheckpoint({ manifest, spec, baseModel: baseModelOf(run, paths), adapter, directory });
      if (body !== null) return { status: 200, body };
      const what = `${checkpointLabel(manifest)} has its weights in a pickle of torch, which vLLM does not read`;
      throw new ProblemError('checkpoint-unusable', `${what}; resume the run from it, and export what that saves.`);
    },
  };
}

/** Of the adapter itself, which an import may have from elsewhere; null for full weights. */
async function readAdapter(manifest: Manifest, checkpoints: Pick<CheckpointService, 'read'>) {
  const weights = detectLayout(manifest.files.map(({ path }) => path))?.weights;
  if (weights?.format !== 'peft') return null;
  const path = weights.path === '' ? 'adapter_config.json' : `${weights.path}/adapter_config.json`;
  const config = await readTrainedJson(manifest, path, checkpoints).catch((error: unknown) => {
    throw error instanceof PathRefusedError ? new ProblemError('checkpoint-unusable', `${error.message}.`) : error;
  });
  const parsed = loraSchema
    .pick({ r: true, alpha: true })
    .safeParse({ r: config?.['r'], alpha: config?.['lora_alpha'] });
  if (parsed.success && config !== null) return parsed.data;
  throw new ProblemError(
    'checkpoint-unusable',
    `${path} of ${checkpointLabel(manifest)} has no rank that vLLM serves.`,
  );
}

/** As `model.name` of the run says it, where that means something elsewhere: a name of the hub. */
function baseModelOf({ spec, model_directory }: RunRow, paths: Pick<PathPolicy, 'absolute'>): string {
  const { name } = spec.model;
  if (RUN_MODEL.test(name)) return model_directory;
  return paths.absolute(name) === model_directory ? model_directory : name;
}
