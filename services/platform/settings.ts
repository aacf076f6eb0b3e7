import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import type { z } from 'zod';

/** An environment variable has a value that cannot be used; the message is one line and names the variable. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/**
 * Reads settings from environment variables. A variable that is set to the empty string counts as not set, as in a `.env` file.
 * @throws SettingsError with one line for all variables that are wrong.
 */
export function parseEnvironment<S extends z.ZodType>(
  schema: S,
  environment: Readonly<Record<string, string | undefined>>,
): z.output<S> {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new SettingsError(
    parsed.error.issues
      .map((issue) => {
        const name = issue.path.map(String).join('.');
        return name === '' ? issue.message : `${name}: ${issue.message}`;
      })
      .join('; '),
  );
}

/** The environment over the variables of an `.env` file, where there is one: what is set by hand wins. */
export function withEnvFile(
  environment: Readonly<Record<string, string | undefined>>,
  path: string,
): Record<string, string | undefined> {
  return existsSync(path) ? { ...parseEnv(readFileSync(path, 'utf8')), ...environment } : { ...environment };
}
