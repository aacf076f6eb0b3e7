import { parseArgs } from 'node:util';
import { ScriptError } from './script-error.ts';

export const methods = ['grpo', 'sft', 'dpo'] as const;
export type Method = (typeof methods)[number];

export interface TrainOptions {
  /** Run configs, each merged over the one before it; none: the shipped example of the method. */
  configs: readonly string[];
  /** Sets the method of the config; null: as the config says. */
  method: Method | null;
  /** Go on from the latest checkpoint in the config's output_dir, or not at all. */
  resume: boolean;
  /** Start from this checkpoint; null: as the config says. */
  resumeFrom: string | null;
  /** A control plane that runs; null: the one of this host, which is started when it is not up. */
  url: string | null;
  /** Leave up what was started. */
  keep: boolean;
}

export const usage = `Usage: ./scripts/train.sh --config F [--resume | --resume_from_checkpoint P] [--url URL] [--keep]
  --config F                     run config, YAML or JSON; several are merged in order, the later ones over the earlier
  --resume                       go on from the latest checkpoint in the config's output_dir; without one nothing is started
  --resume_from_checkpoint P     start from this checkpoint: a path such as outputs/my-run/checkpoints/checkpoint-500, or runs/<id>/best
  --url URL                      use the control plane that runs there (or TANDEM_URL); nothing is built or started
  --method grpo|sft|dpo          train by this method; without --config on the example that is shipped for it
  --keep                         leave running what this script has started`;

/** A command line that cannot be used: 64. */
export class UsageError extends ScriptError {
  override readonly name = 'UsageError';
  constructor(message: string) {
    super(message, 64);
  }
}

/** What the command line and the environment ask for; null when they ask for the usage. @throws UsageError */
export function readOptions(
  args: string[],
  environment: Readonly<Record<string, string | undefined>>,
): TrainOptions | null {
  const values = parse(args);
  if (values.help) return null;
  const { config: configs = [], method = null, resume = false, keep = false } = values;
  const resumeFrom = values.resume_from_checkpoint ?? values['resume-from-checkpoint'] ?? null;
  if (method !== null && !isMethod(method))
    throw new UsageError(`--method is ${method}; it is one of ${methods.join(', ')}`);
  if (configs.length === 0 && method === null) throw new UsageError('--config is missing; name the run config');
  if (resume && resumeFrom !== null)
    throw new UsageError('--resume and --resume_from_checkpoint exclude each other; give one of them');
  return { configs, method, resume, resumeFrom, url: readUrl(values.url, environment), keep };
}

/** The control plane that is named, the flag before the environment; null when none is. @throws UsageError */
export function readUrl(
  flag: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string | null {
  const url = flag ?? (environment['TANDEM_URL'] || null);
  if (url !== null && !URL.canParse(url))
    throw new UsageError(`${url} is no URL; give one such as http://127.0.0.1:8080`);
  return url?.replace(/\/+$/, '') ?? null;
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        config: { type: 'string', multiple: true },
        method: { type: 'string' },
        resume: { type: 'boolean' },
        resume_from_checkpoint: { type: 'string' },
        'resume-from-checkpoint': { type: 'string' },
        url: { type: 'string' },
        keep: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

export function isMethod(text: string): text is Method {
  return (methods as readonly string[]).includes(text);
}
