import type { z } from 'zod';
import type { Manifest } from '../../contracts/checkpoint.ts';
import type { evaluationRequestSchema } from '../../contracts/evaluation-operations.ts';
import { valueAt } from '../../contracts/explain-issue.ts';
import { mergeSpecs, renameAliases, type SpecIssue } from '../../contracts/resolve-run-spec.ts';
import { ProblemError } from '../api/problem-error.ts';
import { type CheckedSpec, checkSpec, refusal, refuseIn } from './check-spec.ts';
import { RUN_MODEL, recallModel, resolveTrained } from './model-source.ts';
import { PathRefusedError } from './path-policy.ts';
import type { RunRow } from './run-row.ts';
import type { RunServiceOptions } from './run-service-options.ts';
import { checkSubmission } from './submit-run.ts';

export type EvaluationRequest = z.output<typeof evaluationRequestSchema>;
type Sources = Pick<RunServiceOptions, 'runs' | 'checkpoints' | 'trees' | 'paths'>;
type Json = Record<string, unknown>;

/** What an evaluation says itself, and where. */
const fixed = {
  task: 'it is evaluate',
  'model.name': 'give model or checkpoint',
  'data.val_data': 'give data',
  'checkpoint.resume_from_checkpoint': 'give checkpoint',
} as const;

/**
 * The run that an evaluation is. What was trained is evaluated under the settings of its run, on the model that run was trained from.
 * @throws ProblemError invalid-spec or checkpoint-unusable
 */
export async function checkEvaluation(request: EvaluationRequest, options: RunServiceOptions): Promise<CheckedSpec> {
  const { document: overrides, issues } = renameAliases(request.overrides);
  const refused = [...issues, ...refuseTarget(request), ...refuseFixed(overrides)];
  if (refused.length > 0) throw refusal('invalid-spec', refused);
  if (request.checkpoint === null) return await checkSubmission(mergeSpecs(ofModel(request), overrides), options);

  const { run, manifest } = await findSource(request.checkpoint, options);
  const model = await refuseIn('checkpoint', () => recallModel(run, options));
  const written = mergeSpecs(ofCheckpoint(request, run, manifest), overrides);
  const checked = await checkSpec(written, { ...options, run: options.runs.get, known: async () => model });
  return { ...checked, baseAdapter: run.base_adapter_directory };
}

function ofModel({ model, method, labels, gpu_profile, ...request }: EvaluationRequest): Json {
  return {
    ...common(request),
    ...(method !== null && { method }),
    ...(labels !== null && { labels }),
    ...(gpu_profile !== null && { gpu_profile }),
    model: { name: model },
    data: { val_data: request.data },
  };
}

function ofCheckpoint(request: EvaluationRequest, { spec, labels }: RunRow, manifest: Manifest): Json {
  const { train_data: _, val_data: __, shuffle: ___, ...format } = spec.data;
  const kept = [
    'trainer',
    'trainer_image',
    'seed',
    'model',
    'environment',
    'reward',
    'dpo',
    'rollout',
    'inference',
    'recovery',
  ] as const;
  return {
    ...Object.fromEntries(kept.map((key) => [key, spec[key]])),
    ...common(request),
    method: request.method ?? spec.method,
    labels: request.labels ?? labels,
    gpu_profile: request.gpu_profile ?? spec.gpu_profile,
    data: { ...format, val_data: request.data },
    checkpoint: { resume_from_checkpoint: `runs/${manifest.run}/a${manifest.attempt}/${manifest.name}` },
  };
}

function common({
  name,
  priority,
  max_eval_samples,
}: Pick<EvaluationRequest, 'name' | 'priority' | 'max_eval_samples'>): Json {
  return { task: 'evaluate', name, priority, training: { max_eval_samples } };
}

function refuseTarget({ checkpoint, model }: EvaluationRequest): SpecIssue[] {
  if (checkpoint !== null && model !== null) {
    return [{ path: 'model', message: 'is given beside checkpoint; give one of them' }];
  }
  if (checkpoint === null && model === null) {
    return [{ path: 'checkpoint', message: 'is missing; give a checkpoint such as runs/<id>/best, or a model' }];
  }
  if (model !== null && RUN_MODEL.test(model)) {
    return [{ path: 'model', message: `${model} is what a run has trained; give it as checkpoint` }];
  }
  return [];
}

function refuseFixed(overrides: Json): SpecIssue[] {
  return Object.entries(fixed)
    .filter(([path]) => valueAt(overrides, path.split('.')) !== undefined)
    .map(([path, remedy]) => ({ path: `overrides.${path}`, message: `cannot be overridden; ${remedy}` }));
}

/** The run that saved a checkpoint, or inherited it, and the checkpoint that the name means now. */
async function findSource(
  written: string,
  { runs, checkpoints, trees, paths }: Sources,
): Promise<{ run: RunRow; manifest: Manifest }> {
  const named = RUN_MODEL.exec(written);
  const [id, name] = named === null ? await ofTree(written, { trees, paths }) : [named[1] as string, named[2]];
  const run = runs.get(id);
  if (run === undefined) {
    throw new ProblemError('checkpoint-unusable', `There is no run ${id}; GET /runs lists those there are.`);
  }
  const manifest = resolveTrained(id, name, checkpoints);
  if (manifest !== undefined) return { run, manifest };
  const what = name === undefined ? 'checkpoint yet' : `checkpoint ${name}`;
  throw new ProblemError(
    'checkpoint-unusable',
    `${id} has no ${what}; GET /runs/${id}/checkpoints lists those there are.`,
  );
}

async function ofTree(written: string, { trees, paths }: Pick<Sources, 'trees' | 'paths'>): Promise<[string, string]> {
  const located = await trees.locate(pathOf(written, paths));
  if (located !== null) return [located.marker.run, located.checkpoint];
  throw new ProblemError(
    'checkpoint-unusable',
    `${written} is neither runs/<id>/<checkpoint> nor a checkpoint in a run's tree; POST /checkpoints/import makes a run of other folders.`,
  );
}

function pathOf(written: string, paths: Sources['paths']): string {
  try {
    return paths.absolute(written);
  } catch (error) {
    if (error instanceof PathRefusedError)
      throw new ProblemError('checkpoint-unusable', `checkpoint: ${error.message}`);
    throw error;
  }
}
