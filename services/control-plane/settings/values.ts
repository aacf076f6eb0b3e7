import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { z } from 'zod';
import { SettingsError } from '../../platform/settings.ts';

/* What single variables of the environment may be. */

export const flag = (text: string) => z.stringbool({ error: `must be true or false, as in ${text}` });
export const wholeNumber = (low: number, high: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${low} to ${high}`)
    .transform(Number)
    .refine((value) => value >= low && value <= high, `must be a whole number from ${low} to ${high}`);
export const list = (separator: string) =>
  z.string().transform((text) =>
    text
      .split(separator)
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );

/** The secret that a file holds alone; undefined where none is named. @throws SettingsError */
export function readSecret(variable: string, path: string | undefined, cwd: string): string | undefined {
  if (path === undefined) return undefined;
  let text: string;
  try {
    text = readFileSync(resolve(cwd, path), 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingsError(`${variable}: ${path} cannot be read (${code}); name a file that holds the key alone`);
  }
  if (text === '') throw new SettingsError(`${variable}: ${path} is empty; name a file that holds the key alone`);
  return text;
}

export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}
