import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * The program that lies beside a module. Threads and processes run what `npm run build` wrote, also when the module is run from its source.
 * @param module `import.meta.url` of who starts it
 * @param name of the built program, with `.js`
 */
export function programFile(module: string, name: string): string {
  const here = fileURLToPath(module);
  if (!here.endsWith('.ts')) return join(dirname(here), name);
  const root = resolve(import.meta.dirname, '../..');
  return join(root, 'dist', relative(root, dirname(here)), name);
}
