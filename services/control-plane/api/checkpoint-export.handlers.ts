import type { Manifest } from '../../contracts/checkpoint.ts';
import { detectLayout } from '../../contracts/checkpoint-layout.ts';
import type { Operations } from '../../contracts/operations.ts';
import { loraSchema } from '../../contracts/run-spec/model.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { checkpointLabel } from '../checkpoints/checkpoint-keys.ts';
import { type Exportable, exportCheckpoint } from '../checkpoints/export-checkpoint.ts';
import { noCheckpoint } from '../checkpoints/user-changes.ts';
import { readTrainedJson } from '../runs/model-config.ts';
import { PathRefusedError } from '../runs/path-policy.ts';
import type { RunStore } from '../runs/run.store.ts';
import type { RunRow } from '../runs/run-row.ts';
import type { Handlers } from './handlers.ts';
import { ProblemError } from './problem-error.ts';

export interface CheckpointExportOptions {
  runs: Pick<RunStore, 'get'>;
  checkpoints: Pick<CheckpointService, 'resolve' | 'read'>;
}

/** A checkpoint on its way to where it is served. */
export function createCheckpointExportHandlers({
  runs,
  checkpoints,
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
      const body = exportCheckpoint({ manifest, spec, baseModel: baseModelOf(run), adapter, directory });
      if (body !== null) return { status: 200, body };
      const what = `${checkpointLabel(manifest)} has no weights that vLLM reads: no safetensors`;
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

/** A model of a hub under its name, which means the same elsewhere; else where it lies on this host. */
function baseModelOf({ model_origin: origin, model_directory }: RunRow): Exportable['baseModel'] {
  return origin?.kind === 'hub'
    ? { name: origin.repo, revision: origin.commit }
    : { name: model_directory, revision: null };
}
