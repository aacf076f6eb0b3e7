import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { link, mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { CheckpointFile, Manifest } from '../../contracts/checkpoint.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { type PathPolicy, PathRefusedError } from './path-policy.ts';
import type { RunRow } from './run.store.ts';

/** Where the model of a run comes from. */
export type ModelSource =
  | { kind: 'directory'; directory: string }
  /** What another run trained. With a LoRA its adapter is used on that run's own base model. */
  | { kind: 'checkpoint'; manifest: Manifest; baseModel: string; isAdapter: boolean };

export interface ModelSourceOptions {
  paths: Pick<PathPolicy, 'existing'>;
  run: (id: string) => RunRow | undefined;
  checkpoints: Pick<CheckpointService, 'resolve' | 'directory' | 'read'>;
}

const RUN_MODEL = /^runs\/(run-[a-z0-9]{8})(?:\/(.+))?$/;
/** A model hub's `<organisation>/<name>`. */
const HUB_NAME = /^[\w-]+\/[\w.-]+$/;
const ADAPTER_FILE = 'model/adapter_model.safetensors';

/** What `model.name` means. Throws PathRefusedError with the remedy when it means nothing that this machine has. */
export async function findModel(spec: RunSpec['model'], options: ModelSourceOptions): Promise<ModelSource> {
  const named = RUN_MODEL.exec(spec.name);
  if (named !== null) return findTrained(named[1] as string, named[2], spec, options);
  try {
    const directory = await options.paths.existing(spec.name, 'directory');
    await requireConfig(directory);
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

function resolveTrained(
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

async function requireConfig(directory: string): Promise<void> {
  const path = join(directory, 'config.json');
  try {
    JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is missing' : 'is not readable JSON';
    throw new PathRefusedError(`${path} ${why}; give a model directory in Hugging Face layout`);
  }
}

/**
 * Puts the files of another run's checkpoint into `directory` in Hugging Face layout, as hard links where the store is a file system beside it, else as
 * copies that are checked against their hashes. Whole or not at all; repeating it does nothing.
 */
export async function prepareModel(
  manifest: Manifest,
  directory: string,
  checkpoints: Pick<CheckpointService, 'directory' | 'read'>,
): Promise<void> {
  if ((await stat(directory).catch(() => null)) !== null) return;
  const temporary = `${directory}.tmp`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  const source = checkpoints.directory(manifest);
  for (const file of manifest.files) {
    const path = /^(?:model|tokenizer)\/(.+)$/.exec(file.path)?.[1];
    if (path === undefined) continue;
    const target = join(temporary, path);
    await mkdir(dirname(target), { recursive: true });
    const linked = source !== null && (await tryLink(join(source, file.path), target));
    if (!linked) await copyChecked(checkpoints.read(manifest, file.path), target, file);
  }
  await rename(temporary, directory);
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Both parts may hold a file of this name, with the same content.
    if (code === 'EEXIST') return true;
    if (code === 'EXDEV' || code === 'EPERM' || code === 'EMLINK') return false;
    throw error;
  }
}

async function copyChecked(from: Readable, to: string, file: CheckpointFile): Promise<void> {
  const hash = createHash('sha256');
  from.on('data', (chunk: Buffer) => hash.update(chunk));
  await pipeline(from, createWriteStream(to));
  if (hash.digest('hex') !== file.sha256) {
    throw new PathRefusedError(
      `${file.path} of that checkpoint is damaged (its sha256 differs); choose another checkpoint`,
    );
  }
}
