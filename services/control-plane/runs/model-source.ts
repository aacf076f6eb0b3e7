import { mkdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CheckpointFile, Manifest } from '../../contracts/checkpoint.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { allInSlots, createSlots } from '../../platform/transfer/slots.ts';
import { ProblemError } from '../api/problem-error.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { readConfig } from './model-config.ts';
import { type PathPolicy, PathRefusedError } from './path-policy.ts';
import type { RunRow } from './run.store.ts';

/** Where the model of a run comes from. */
export type ModelSource =
  | {
      kind: 'directory';
      directory: string;
      /** The adapter that what is trained on it started from. */
      baseAdapter?: string | null;
    }
  /** What another run trained. With a LoRA its adapter is used on that run's own base model. */
  | { kind: 'checkpoint'; manifest: Manifest; baseModel: string; isAdapter: boolean };

export interface ModelSourceOptions {
  paths: Pick<PathPolicy, 'existing'>;
  run: (id: string) => RunRow | undefined;
  checkpoints: Pick<CheckpointService, 'resolve' | 'read'>;
}

/** `runs/<id>`, or a checkpoint of it. */
export const RUN_MODEL = /^runs\/(run-[a-z0-9]{8})(?:\/(.+))?$/;
/** A model hub's `<organisation>/<name>`. */
const HUB_NAME = /^[\w-]+\/[\w.-]+$/;
const FILES_AT_ONCE = 8;
const REQUESTS_AT_ONCE = 4;
const ADAPTER_FILE = 'model/adapter_model.safetensors';

/** What `model.name` means. Throws PathRefusedError with the remedy when it means nothing that this machine has. */
export async function findModel(spec: RunSpec['model'], options: ModelSourceOptions): Promise<ModelSource> {
  const named = RUN_MODEL.exec(spec.name);
  if (named !== null) return findTrained(named[1] as string, named[2], spec, options);
  try {
    const directory = await options.paths.existing(spec.name, 'directory');
    await readConfig(directory);
    return { kind: 'directory', directory };
  } catch (error) {
    if (!(error instanceof PathRefusedError) || !HUB_NAME.test(spec.name)) throw error;
    throw new PathRefusedError(
      `${error.message}. If ${spec.name} is the name of a model hub: this build does not download models; ` +
        `download it (hf download ${spec.name} --local-dir models/${spec.name.split('/')[1]}) and give that directory`,
    );
  }
}

async function findTrained(
  id: string,
  name: string | undefined,
  spec: RunSpec['model'],
  { run, checkpoints }: ModelSourceOptions,
): Promise<ModelSource> {
  const source = run(id);
  if (source === undefined) throw new PathRefusedError(`there is no run ${id}; GET /runs lists those there are`);
  const manifest = resolveTrained(id, name, checkpoints);
  if (manifest === undefined) {
    const what = name === undefined ? 'checkpoint yet' : `checkpoint ${name}`;
    throw new PathRefusedError(`${id} has no ${what}; GET /runs/${id}/checkpoints lists those there are`);
  }
  const isAdapter = manifest.files.some(({ path }) => path === ADAPTER_FILE);
  if (isAdapter && !spec.use_lora) {
    throw new PathRefusedError(
      `${spec.name} is a LoRA adapter, and model.use_lora false would train full weights; set model.use_lora: true`,
    );
  }
  if (isAdapter && source.spec.model.lora.r !== spec.lora.r) {
    throw new PathRefusedError(
      `${spec.name} is a LoRA adapter of rank ${source.spec.model.lora.r}; set model.lora.r: ${source.spec.model.lora.r}`,
    );
  }
  return { kind: 'checkpoint', manifest, baseModel: source.model_directory, isAdapter };
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
