import type { RunSpec } from '../../contracts/run-spec.ts';
import { type ModelSource, recallModel } from './model-source.ts';
import { PathRefusedError } from './path-policy.ts';
import type { RunServiceOptions } from './run-service-options.ts';

/**
 * The model of the run that a submission goes on with, by its tree: the commit that its revision meant when that run was submitted, whatever it means by now.
 * Null where there is no such run, or it is on another model, or on none that is fetched under its name.
 */
export async function continuedModel(
  { model, training }: Pick<RunSpec, 'model' | 'training'>,
  options: Pick<RunServiceOptions, 'runs' | 'paths' | 'models' | 'closing'>,
): Promise<ModelSource | null> {
  if (training.output_dir === null || training.start_fresh) return null;
  const tree = await treeOf(training.output_dir, options);
  const run = tree === null ? undefined : options.runs.byTree(tree);
  if (run === undefined || run.model_origin === null || run.model_run !== null) return null;
  const isSame = run.spec.model.name === model.name && run.spec.model.revision === model.revision;
  return isSame ? await recallModel(run, options) : null;
}

/** What is wrong with it is told where the tree is looked into. */
async function treeOf(written: string, { paths }: Pick<RunServiceOptions, 'paths'>): Promise<string | null> {
  try {
    return await paths.writable(written);
  } catch (error) {
    if (error instanceof PathRefusedError) return null;
    throw error;
  }
}
