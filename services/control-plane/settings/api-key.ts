import { resolve } from 'node:path';
import { z } from 'zod';
import { SettingsError } from '../../platform/settings.ts';
import { readSecret } from './values.ts';

export const apiKey = z.string().min(16, 'must have at least 16 characters; for example: openssl rand -hex 32');

/** Where the key of the API lies when it is in a file of its own; null when it is given otherwise. */
export function apiKeyFile(environment: Readonly<Record<string, string | undefined>>, cwd: string): string | null {
  const { TANDEM_API_KEY: given, TANDEM_API_KEY_FILE: path } = environment;
  return given || !path ? null : resolve(cwd, path);
}

/** The key in that file. @throws SettingsError */
export function readApiKey(path: string | undefined, cwd: string): string | undefined {
  const found = readSecret('TANDEM_API_KEY_FILE', path, cwd);
  const { error } = apiKey.optional().safeParse(found);
  if (error) throw new SettingsError(`TANDEM_API_KEY_FILE: the key in ${path} ${error.issues[0]?.message}`);
  return found;
}
