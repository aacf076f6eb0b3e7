import { parseModelConfig } from '../../contracts/model-config.ts';
import { ModelError } from '../../contracts/model-error.ts';
import type { SpecIssue } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { readConfig, readTrainedConfig } from './model-config.ts';
import { judgeDirectory } from './model-directory.ts';
import { asTrained, type ModelSource, type ModelSourceOptions } from './model-source.ts';

/** A model's `config.json`, whether the model is there yet or not; null where a checkpoint has none. @throws PathRefusedError when it cannot be read */
export async function sourceConfig(
  model: ModelSource,
  { checkpoints }: Pick<ModelSourceOptions, 'checkpoints'>,
): Promise<Record<string, unknown> | null> {
  if (model.kind === 'fetched') return model.found.listing.config;
  return model.kind === 'directory'
    ? await readConfig(model.directory)
    : await readTrainedConfig(model.manifest, checkpoints);
}

/**
 * What the tfjs trainer will not take, in the words in which it would refuse it itself: `parseModelConfig` and `parseSafetensorsHeader` decide for both. What another run has trained is known
 * already; a trainer in an image decides for itself.
 */
export async function judgeModel(
  model: ModelSource,
  config: Readonly<Record<string, unknown>> | null,
  { trainer, model: { revision } }: Pick<RunSpec, 'trainer' | 'model'>,
): Promise<SpecIssue[]> {
  if (revision !== 'main' && !isOfHub(model)) {
    return [{ path: 'model.revision', message: 'is for models of a hub, and this one is none; leave it out' }];
  }
  if (trainer !== 'tfjs' || model.kind === 'checkpoint' || config === null) return [];
  try {
    parseModelConfig(config);
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    return [{ path: 'model.name', message: error.message }];
  }
  if (model.kind === 'directory') {
    const missing = await judgeDirectory(model.directory);
    const trained = asTrained(model.directory);
    const hint = trained === undefined ? '' : `; ${trained}`;
    return missing === null ? [] : [{ path: 'model.name', message: `${missing}${hint}` }];
  }
  if (model.found.listing.files.some(({ path }) => path === 'tokenizer.json')) return [];
  const message =
    'has no tokenizer.json, which the tfjs trainer needs; choose another revision, or save one beside it (AutoTokenizer, save_pretrained) and give the directory';
  return [{ path: 'model.name', message }];
}

function isOfHub(model: ModelSource): boolean {
  return model.kind === 'fetched' && model.found.listing.origin.kind === 'hub';
}
