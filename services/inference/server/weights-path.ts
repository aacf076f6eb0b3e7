import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { ApiError } from './api-error.ts';

/**
 * The directory a caller may load weights from, with symbolic links resolved.
 *
 * @param root the only place weights are loaded from; null: anywhere
 * @returns null when there is no such directory
 * @throws ApiError 400 when it lies outside `root`
 */
export async function resolveWeightsPath(given: string, root: string | null): Promise<string | null> {
  const base = root ?? process.cwd();
  const asked = path.resolve(base, given);
  if (root !== null && !isInside(asked, path.resolve(root))) throw outside(given, root);
  try {
    const [real, realRoot] = await Promise.all([realpath(asked), realpath(base)]);
    if (root !== null && !isInside(real, realRoot)) throw outside(given, root);
    return real;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function isInside(directory: string, root: string): boolean {
  const relative = path.relative(root, directory);
  return relative !== '' && !relative.startsWith('..') && !path.isAbsolute(relative);
}

function outside(given: string, root: string): ApiError {
  return new ApiError(400, 'InvalidUserInput', `'${given}' is not under ${root}, where this server loads weights from`);
}
