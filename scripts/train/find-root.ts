import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The repository, whether a script runs from the sources or from `dist`. */
export function findRoot(from: string): string {
  for (let at = from; dirname(at) !== at; at = dirname(at)) if (existsSync(join(at, 'compose'))) return at;
  throw new Error(`compose/ is not found above ${from}: run the scripts from a clone of the repository`);
}
