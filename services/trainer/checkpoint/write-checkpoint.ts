import { copyFile, mkdir, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CheckpointFile } from '../../contracts/checkpoint.ts';
import { writePeftAdapter } from '../../model/peft.ts';
import { saveModel } from '../../model/weights.ts';
import { hashFile, partSizeFor } from '../../platform/transfer/hash-file.ts';
import { writeOptimizerFile } from './optimizer-file.ts';
import { writeSchedulerFile } from './scheduler-file.ts';
import type { CheckpointSnapshot, TrainedWeights } from './snapshot.ts';

/** Where files have their temporary names: below the target, so that a rename never crosses a file system. */
const STAGING = '.writing';
const TOKENIZER_FILES =
  /^(tokenizer.*\.(json|model)|special_tokens_map\.json|vocab\.json|merges\.txt|added_tokens\.json|chat_template\..+)$/;
const CONFIG_FILES = /^(config|generation_config)\.json$/;

/** Whether a file of the base model goes into a checkpoint. */
export function isCompanion(name: string): boolean {
  return TOKENIZER_FILES.test(name) || CONFIG_FILES.test(name);
}

/**
 * Writes a checkpoint (requirement C1) into `directory` and gives its files, sorted by path, with their sizes and hashes as read back.
 * Each file is complete and on the disk before it has its name. The same snapshot gives the same bytes.
 *
 * One writer per directory. After an error the directory may hold some of the files under their names, which mean nothing without a
 * manifest; writing again replaces them.
 */
export async function writeCheckpoint(directory: string, snapshot: CheckpointSnapshot): Promise<CheckpointFile[]> {
  const staging = path.join(directory, STAGING);
  await rm(staging, { recursive: true, force: true });
  try {
    for (const folder of ['model', 'tokenizer']) await mkdir(path.join(staging, folder), { recursive: true });
    await writeModel(path.join(staging, 'model'), snapshot);
    await copyMatching(snapshot.modelDirectory, path.join(staging, 'tokenizer'), TOKENIZER_FILES);
    await writeTrainingFiles(staging, snapshot);
    return await publish(staging, directory);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function writeModel(to: string, { weights, modelDirectory }: CheckpointSnapshot): Promise<void> {
  await writeWeights(to, weights);
  const companions = weights.kind === 'lora' ? CONFIG_FILES : /^generation_config\.json$/;
  await copyMatching(modelDirectory, to, companions);
}

async function writeWeights(to: string, weights: TrainedWeights): Promise<void> {
  if (weights.kind === 'lora') return writePeftAdapter(to, weights);
  return saveModel(to, { configJson: weights.configJson, weights: weights.weights, dtype: 'F32' });
}

async function writeTrainingFiles(to: string, snapshot: CheckpointSnapshot): Promise<void> {
  const { optimizer, optimizerOptions, scheduler, rng, trainingState, trainingMetadata } = snapshot;
  await writeOptimizerFile(path.join(to, 'optimizer.pt'), optimizer, { ...optimizerOptions, scheduler });
  await writeSchedulerFile(path.join(to, 'scheduler.pt'), scheduler);
  await writeJson(path.join(to, 'rng_state.json'), rng);
  await writeJson(path.join(to, 'training_state.json'), trainingState);
  await writeJson(path.join(to, 'training_metadata.json'), trainingMetadata);
  await writeFile(path.join(to, 'model_version.txt'), `${trainingState.policy_version}\n`);
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

async function copyMatching(from: string, to: string, pattern: RegExp): Promise<void> {
  for (const name of (await readdir(from)).filter((entry) => pattern.test(entry))) {
    await copyFile(path.join(from, name), path.join(to, name));
  }
}

async function publish(staging: string, directory: string): Promise<CheckpointFile[]> {
  const files: CheckpointFile[] = [];
  for (const entry of await readdir(staging, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const staged = path.join(entry.parentPath, entry.name);
    const relative = path.relative(staging, staged);
    files.push({ path: relative.split(path.sep).join('/'), ...(await settle(staged)) });
    await mkdir(path.dirname(path.join(directory, relative)), { recursive: true });
    await rename(staged, path.join(directory, relative));
  }
  for (const folder of ['model', 'tokenizer', '.', '..']) await syncDirectory(path.join(directory, folder));
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** On the disk for good, and hashed as the disk has it. */
async function settle(file: string): Promise<Omit<CheckpointFile, 'path'>> {
  const handle = await open(file, 'r');
  try {
    await handle.sync();
    const { size } = await handle.stat();
    return await hashFile(handle, partSizeFor(size));
  } finally {
    await handle.close();
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
