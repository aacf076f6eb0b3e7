import { join } from 'node:path';
import { withEnvFile } from '../../services/platform/settings.ts';
import { screen } from '../quickstart/screen.ts';
import { findRoot } from './find-root.ts';
import { UsageError } from './options.ts';
import { exitCodeOf } from './script-error.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export const EXIT_INTERRUPTED = 130;

/** What a script has from where it was started. */
export interface ScriptHost {
  /** Of the repository. */
  root: string;
  /** The real environment over .env. */
  environment: Environment;
  /** What Ctrl-C and SIGTERM do from now on; null, as at the beginning: they end the script. */
  onInterrupt(work: (() => void) | null): void;
}

export interface Script<Options> {
  /** As it is called: `train.sh`. */
  name: string;
  usage: string;
  /** What the command line and the environment ask for; null when they ask for the usage. Throws UsageError. */
  readOptions(args: string[], environment: Environment): Options | null;
  /** The exit code. What it throws is told, and is a failure. */
  run(options: Options, host: ScriptHost): Promise<number>;
}

/** A script from its command line to its exit code: that of the ScriptError it throws, 64 for wrong usage among them, 1 for what else fails, 130 when it is interrupted. */
export async function runScript<Options>(
  { name, usage, readOptions, run }: Script<Options>,
  args: string[] = process.argv.slice(2),
): Promise<number> {
  const leave = () => process.exit(EXIT_INTERRUPTED);
  let interrupt: () => void = leave;
  const onSignal = () => interrupt();
  const signals = ['SIGINT', 'SIGTERM'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  try {
    const root = findRoot(import.meta.dirname);
    const environment = withEnvFile(process.env, join(root, '.env'));
    const options = readOptions(args, environment);
    if (options !== null) {
      const onInterrupt: ScriptHost['onInterrupt'] = (work) => {
        interrupt = work ?? leave;
      };
      return await run(options, { root, environment, onInterrupt });
    }
    console.log(usage);
    return 0;
  } catch (error) {
    screen.problem(`${name}: ${(error as Error).message}`);
    if (error instanceof UsageError) console.error(usage);
    return exitCodeOf(error);
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}
