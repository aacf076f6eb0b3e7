import { parseArgs } from 'node:util';
import { readUrl, UsageError } from '../train/options.ts';

export interface CheckOptions {
  /** The run whose records are compared with what W&B holds; null: none. */
  run: string | null;
  url: string | null;
}

export const usage = `Usage: ./scripts/check_wandb.sh [--run RUN] [--url URL]
  --run RUN    also compare what W&B holds of this run with its records, such as run-7k3m9q2d
  --url URL    use the control plane that runs there (or TANDEM_URL)
WANDB_API_KEY, WANDB_BASE_URL, WANDB_PROJECT and WANDB_ENTITY are taken from the environment or from .env.`;

/** What the command line and the environment ask for; null when they ask for the usage. @throws UsageError */
export function readOptions(
  args: string[],
  environment: Readonly<Record<string, string | undefined>>,
): CheckOptions | null {
  const { values } = parse(args);
  if (values.help) return null;
  if (values.run !== undefined && !/^run-[a-z0-9]{8}$/.test(values.run)) {
    throw new UsageError(`${values.run} is no run; give one such as run-7k3m9q2d`);
  }
  return { run: values.run ?? null, url: readUrl(values.url, environment) };
}

function parse(args: string[]) {
  const options = { run: { type: 'string' }, url: { type: 'string' }, help: { type: 'boolean' } } as const;
  try {
    return parseArgs({ args, options });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
