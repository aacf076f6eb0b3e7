import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { UsageError } from './options.ts';

export type Config = Record<string, unknown>;

/** Reads run configs and merges them in order: objects key by key, everything else as the later one has it. @throws UsageError */
export function readConfigs(paths: readonly string[]): Config {
  return paths.map(readConfig).reduce(merge, {});
}

function readConfig(path: string): Config {
  let parsed: unknown;
  try {
    parsed = parse(readFileSync(path, 'utf8'), { maxAliasCount: 100 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(code === 'ENOENT' ? `--config: there is no ${path}` : `--config: ${path}: ${message}`);
  }
  if (isObject(parsed)) return parsed;
  throw new UsageError(`--config: ${path} is no run config: it holds no keys`);
}

export function merge(base: Config, over: Config): Config {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key];
    merged[key] = isObject(before) && isObject(value) ? merge(before, value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
