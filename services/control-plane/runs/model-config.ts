import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Manifest } from '../../contracts/checkpoint.ts';
import { JsonRefusedError, parseBoundedJson, readBoundedJsonFrom } from '../../platform/bounded-json.ts';
import { ObjectNotFoundError } from '../../platform/object-store.ts';
import type { CheckpointService } from '../checkpoints/checkpoint.service.ts';
import { PathRefusedError } from './path-policy.ts';

/** The largest known ones have some hundred kilobytes, of quantisation maps. */
const LIMITS = { bytes: 8 * 2 ** 20, depth: 64 };
const CONFIG_FILE = 'model/config.json';

/** `config.json` of a model in Hugging Face layout. @throws PathRefusedError when it is not there or no JSON object. */
export async function readConfig(directory: string): Promise<Record<string, unknown>> {
  const path = join(directory, 'config.json');
  return await explained(path, 'give a model directory in Hugging Face layout', async () => {
    // Without O_NONBLOCK opening a pipe waits for its writer for ever.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      if (!(await handle.stat()).isFile()) throw new JsonRefusedError('is not a file');
      return await readBoundedJsonFrom(handle, LIMITS);
    } finally {
      await handle.close();
    }
  });
}

/**
 * The same of a model that another run trained; null where its checkpoint has none, as one with an adapter only.
 * @throws PathRefusedError when it is gone or damaged, what the store throws when it cannot be reached
 */
export async function readTrainedConfig(
  manifest: Manifest,
  checkpoints: Pick<CheckpointService, 'read'>,
): Promise<Record<string, unknown> | null> {
  return await readTrainedJson(manifest, CONFIG_FILE, checkpoints);
}

/** A small JSON file of a checkpoint; null where it has none of that path. @throws as readTrainedConfig */
export async function readTrainedJson(
  manifest: Manifest,
  name: string,
  checkpoints: Pick<CheckpointService, 'read'>,
): Promise<Record<string, unknown> | null> {
  const file = manifest.files.find(({ path }) => path === name);
  if (file === undefined) return null;
  const path = `${name} of ${manifest.run}/a${manifest.attempt}/${manifest.name}`;
  return await explained(path, 'choose another checkpoint', async () => {
    if (file.size > LIMITS.bytes) throw new JsonRefusedError(`has ${file.size} bytes; the limit is ${LIMITS.bytes}`);
    return parseBoundedJson(await text(checkpoints.read(manifest, name)), LIMITS.depth);
  });
}

async function explained(path: string, remedy: string, read: () => Promise<unknown>): Promise<Record<string, unknown>> {
  try {
    const value = await read();
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new JsonRefusedError('is not a JSON object');
    }
    return value as Record<string, unknown>;
  } catch (error) {
    const why = refusalOf(error);
    if (why === null) throw error;
    throw new PathRefusedError(`${path} ${why}; ${remedy}`);
  }
}

function refusalOf(error: unknown): string | null {
  if (error instanceof JsonRefusedError) return error.message;
  if (error instanceof ObjectNotFoundError) return 'is missing';
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'is missing';
  return code === 'EACCES' || code === 'EISDIR' || code === 'ENXIO' ? `cannot be read (${code})` : null;
}
