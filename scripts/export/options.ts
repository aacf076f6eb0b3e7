import { parseArgs } from 'node:util';
import { readUrl, UsageError } from '../train/options.ts';

export interface ExportOptions {
  run: string;
  /** Name of the checkpoint; null: the run's best, else its final, else its latest. */
  checkpoint: string | null;
  /** Null: below `exports/`. */
  directory: string | null;
  url: string | null;
}

export const usage = `Usage: ./scripts/export.sh <run>[/<checkpoint>] [directory] [--url URL]
  <run>[/<checkpoint>]   such as run-7k3m9q2d/best or run-7k3m9q2d/a1/checkpoint-100; the run alone means its best
  directory              where the files go; exports/<run>-<checkpoint> by default
  --url URL              use the control plane that runs there (or TANDEM_URL); nothing is built or started`;

/** What the command line and the environment ask for; null when they ask for the usage. @throws UsageError */
export function readOptions(
  args: string[],
  environment: Readonly<Record<string, string | undefined>>,
): ExportOptions | null {
  const { values, positionals } = parse(args);
  if (values.help) return null;
  const [what, directory = null, ...more] = positionals;
  if (what === undefined) throw new UsageError('name the run, or <run>/<checkpoint>');
  if (more.length > 0) throw new UsageError(`one directory is enough; got ${more.join(' ')} besides`);
  const named = /^(?:runs\/)?(run-[a-z0-9]{8})(?:\/(.+))?$/.exec(what);
  if (named === null) throw new UsageError(`${what} is no run; give one such as run-7k3m9q2d or run-7k3m9q2d/best`);
  return { run: named[1] as string, checkpoint: named[2] ?? null, directory, url: readUrl(values.url, environment) };
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: { url: { type: 'string' }, help: { type: 'boolean' } }, allowPositionals: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
