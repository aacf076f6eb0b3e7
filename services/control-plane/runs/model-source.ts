import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointFile, Manifest } from '../../contracts/checkpoint.ts';
import type { ModelOrigin } from '../../contracts/model-origin.ts';
import { renameAliases } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { allInSlots, createSlots } from '../../platform/transfer/slots.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { ModelFetchError } from '../models/model-fetch-error.ts';
import type { FoundModel, Models } from '../models/models.ts';
import { readConfig } from './model-config.ts';
import { type PathPolicy, PathRefusedError } from './path-policy.ts';
import type { RunRow } from './run-row.ts';

/** Where the model of a run comes from. */
export type ModelSource =
  | { kind: 'directory'; directory: string }
  /** A model of a hub or of the object store, which has to be fetched unless it is there. */
  | { kind: 'fetched'; found: FoundModel }
  /** What another run trained. Its adapter, where it has one, is used on that run's own base model: trained further, or merged where full weights are trained. */
  | { kind: 'checkpoint'; manifest: Manifest; isAdapter: boolean; base: BaseModel };

/** The model that another run's adapter belongs to. */
export interface BaseModel {
  directory: string;
  /** Null for one that is not fetched. */
  origin: ModelOrigin | null;
  isThere: boolean;
}

export interface ModelSourceOptions {
  paths: Pick<PathPolicy, 'existing' | 'absolute'>;
  run: (id: string) => RunRow | undefined;
  checkpoints: Pick<CheckpointService, 'resolve' | 'read'>;
  models: Pick<Models, 'findOnHub' | 'findInStore' | 'recall' | 'isComplete'>;
  /** Aborted when the process ends. */
  closing: AbortSignal;
}

/** `runs/<id>`, or a checkpoint of it. */
export const RUN_MODEL = /^runs\/(run-[a-z0-9]{8})(?:\/(.+))?$/;
/** A model hub's `<organisation>/<name>`: letters, digits, `-`, `_` and `.`, the first and the last of each no `-` or `.`. */
const HUB_NAME = /^(?!.*(--|\.\.))\w(?:[\w.-]*\w)?\/\w(?:[\w.-]*\w)?$/;
const STORE_NAME = /^store:(.*)$/;
const FILES_AT_ONCE = 8;
const REQUESTS_AT_ONCE = 4;
const ADAPTER_FILE = 'model/adapter_model.safetensors';

/** What `model.name` means. Throws PathRefusedError with the remedy when it means nothing that this machine has. */
export async function findModel(spec: RunSpec['model'], options: ModelSourceOptions): Promise<ModelSource> {
  const named = RUN_MODEL.exec(spec.name);
  if (named !== null) return findTrained(named[1] as string, named[2], spec, options);
  const stored = STORE_NAME.exec(spec.name)?.[1];
  if (stored !== undefined) {
    return await fetched(() => options.models.findInStore(stored, options.closing));
  }
  try {
    const directory = await options.paths.existing(spec.name, 'directory');
    await readConfig(directory);
    return { kind: 'directory', directory };
  } catch (error) {
    if (error instanceof PathRefusedError) throwHinted(spec.name, error);
    const isHubName = HUB_NAME.test(spec.name) && !(await stat(options.paths.absolute(spec.name)).catch(() => null));
    if (!(error instanceof PathRefusedError) || !isHubName) throw error;
    // A mistyped directory looks like the name of a hub, and the other way round: both are told.
    const beside = `${error.message.replace(/; give .*$/, '')}, and as the name of a hub it cannot be used: `;
    return await fetched(() => options.models.findOnHub(spec.name, spec.revision, options.closing), beside);
  }
}

/** A checkpoint's folder in the tree of a run, or its `model/`: `outputs/<run>/best_model`. */
const TREE_FOLDER = /(?:^|\/)(?:(run-[a-z0-9]{8})\/(?:.*\/)?)?(?:best_model|final|checkpoint-\d+)(?:\/model)?\/?$/;

/** How to name what lies in a run's tree as the model of a run; undefined for other paths. */
export function asTrained(written: string): string | undefined {
  const found = TREE_FOLDER.exec(written);
  return found === null
    ? undefined
    : `what a run has trained is named runs/${found[1] ?? '<id>'}/best, whose tree this seems to be`;
}

/** Adds what a user may have meant. @throws PathRefusedError for what cannot be the name of a hub */
function throwHinted(written: string, error: PathRefusedError): void {
  const trained = asTrained(written);
  if (trained !== undefined) throw new PathRefusedError(`${error.message}; ${trained}`, { cause: error });
  if (/^\w[\w.-]*$/.test(written) && / does not exist /.test(error.message)) {
    throw new PathRefusedError(`${error.message}, or a model of a hub as owner/name`, { cause: error });
  }
}

/** What a run was made with, for one that goes on. */
export async function recallModel(
  run: Pick<RunRow, 'model_directory' | 'model_origin'>,
  { models, closing }: Pick<ModelSourceOptions, 'models' | 'closing'>,
): Promise<ModelSource> {
  const { model_directory: directory, model_origin: origin } = run;
  if (origin === null) return { kind: 'directory', directory };
  return await fetched(() => models.recall(directory, origin, closing));
}

async function fetched(find: () => Promise<FoundModel>, beside = ''): Promise<ModelSource> {
  try {
    return { kind: 'fetched', found: await find() };
  } catch (error) {
    if (!(error instanceof ModelFetchError)) throw error;
    throw new PathRefusedError(`${beside}${error.message}`, { cause: error });
  }
}

/** What a spec need not say whose model is an adapter that another run trained: its shape. */
export function trainedDefaults(
  written: unknown,
  { run, checkpoints }: Pick<ModelSourceOptions, 'run' | 'checkpoints'>,
): Record<string, unknown> {
  if (typeof written !== 'object' || written === null || Array.isArray(written)) return {};
  const { model } = renameAliases(written as Record<string, unknown>).document;
  const name = (model as { name?: unknown } | null | undefined)?.name;
  const named = typeof name === 'string' ? RUN_MODEL.exec(name) : null;
  const source = named === null ? undefined : run(named[1] as string);
  const manifest = named === null ? undefined : resolveTrained(named[1] as string, named[2], checkpoints);
  if (source === undefined || !manifest?.files.some(({ path }) => path === ADAPTER_FILE)) return {};
  const { r, alpha, target_modules } = source.spec.model.lora;
  return { model: { lora: { r, alpha, target_modules } } };
}

/** Another shape or scale would be another adapter. */
function requireSameAdapter({ name, lora }: RunSpec['model'], trained: RunSpec['model']['lora']): void {
  const shape = ({ r, alpha, target_modules }: RunSpec['model']['lora']) => ({
    rank: r,
    alpha,
    target_modules: [...target_modules].sort(),
  });
  const [wanted, found] = [shape(lora), shape(trained)];
  for (const key of ['rank', 'alpha', 'target_modules'] as const) {
    if (JSON.stringify(wanted[key]) === JSON.stringify(found[key])) continue;
    const written = key === 'rank' ? 'r' : key;
    throw new PathRefusedError(
      `${name} is a LoRA adapter of ${key} ${JSON.stringify(found[key])}; leave model.lora.${written} out, or set it to that, or train the merged full weights with model.use_lora: false`,
    );
  }
}

async function findTrained(
  id: string,
  name: string | undefined,
  spec: RunSpec['model'],
  { run, checkpoints, models }: ModelSourceOptions,
): Promise<ModelSource> {
  const source = run(id);
  if (source === undefined) throw new PathRefusedError(`there is no run ${id}; GET /runs lists those there are`);
  const manifest = resolveTrained(id, name, checkpoints);
  if (manifest === undefined) {
    const what = name === undefined ? 'checkpoint yet' : `checkpoint ${name}`;
    throw new PathRefusedError(`${id} has no ${what}; GET /runs/${id}/checkpoints lists those there are`);
  }
  const isAdapter = manifest.files.some(({ path }) => path === ADAPTER_FILE);
  // Full weights are those of its base with the adapter added in, whatever its shape.
  if (isAdapter && spec.use_lora) requireSameAdapter(spec, source.spec.model.lora);
  const { model_directory: directory, model_origin: origin } = source;
  const isThere = origin === null || (await models.isComplete(directory));
  return { kind: 'checkpoint', manifest, isAdapter, base: { directory, origin, isThere } };
}

/** The checkpoint of a run that a name means; without one its best, else its final, else its latest. */
export function resolveTrained(
  id: string,
  name: string | undefined,
  checkpoints: Pick<CheckpointService, 'resolve'>,
): Manifest | undefined {
  const names = name === undefined ? ['best', 'final', 'latest'] : [name];
  return names.map((each) => checkpoints.resolve(id, each)).find((found) => found !== undefined);
}

/** The checkpoint that a `model.name` such as `runs/<id>/best` means now; undefined where it means none. */
export function trainedModel(modelName: string, checkpoints: Pick<CheckpointService, 'resolve'>): Manifest | undefined {
  const named = RUN_MODEL.exec(modelName);
  return named === null ? undefined : resolveTrained(named[1] as string, named[2], checkpoints);
}

/**
 * Puts the files of another run's checkpoint into `directory` in Hugging Face layout, as `fetchFile` of the checkpoints does. Whole or not at all; repeating
 * it does nothing, and after a break it goes on. Throws PathRefusedError when the checkpoint is damaged, ProblemError unavailable when the store cannot
 * be reached or `closing` is aborted.
 */
export async function prepareModel(
  manifest: Manifest,
  directory: string,
  checkpoints: Pick<CheckpointService, 'fetchFile'>,
  closing: AbortSignal,
): Promise<void> {
  if ((await stat(directory).catch(() => null)) !== null) return;
  const { run, attempt, step } = manifest;
  const unfinished = `${directory}.${run}-a${attempt}-${step}.tmp`;
  await mkdir(unfinished, { recursive: true });
  // Both parts may hold a file of one name, with the same content.
  const wanted = new Map<string, CheckpointFile>();
  for (const file of manifest.files) {
    const path = /^(?:model|tokenizer)\/(.+)$/.exec(file.path)?.[1];
    if (path !== undefined && !wanted.has(path)) wanted.set(path, file);
  }
  const slots = createSlots(REQUESTS_AT_ONCE);
  try {
    await allInSlots([...wanted], createSlots(FILES_AT_ONCE), closing, ([path, file], stop) =>
      checkpoints.fetchFile(manifest, file, join(unfinished, path), { signal: stop, slots }),
    );
  } catch (error) {
    if (closing.aborted) {
      throw new ProblemError('unavailable', 'The control plane is ending; submit the run again once it is back.');
    }
    if (error instanceof ProblemError && error.type === 'checkpoint-unusable') {
      throw new PathRefusedError(error.message, { cause: error });
    }
    throw error;
  }
  await rename(unfinished, directory);
}
