import { parseArgs } from 'node:util';

export interface QuickstartOptions {
  /** Leave the control plane running afterwards. */
  keep: boolean;
  /** Seeds model, data and training. */
  seed: number;
  /** Port of the control plane. */
  port: number;
}

const usage = `Usage: ./scripts/quickstart.sh [--keep] [--seed N] [--port N]
  --keep     leave the control plane running afterwards
  --seed N   another model, other data, other samples (default 1)
  --port N   port of the control plane (default 8080, or $PORT)`;

/** Reads the command line; on a mistake says so with the usage and ends with 64, as sysexits.h has it. */
export function readOptions(args: string[], env: NodeJS.ProcessEnv): QuickstartOptions {
  try {
    const { values } = parseArgs({
      args,
      options: {
        keep: { type: 'boolean' },
        seed: { type: 'string' },
        port: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    return {
      keep: values.keep ?? false,
      seed: wholeNumber('--seed', values.seed ?? '1', 2 ** 31),
      port: wholeNumber('--port', values.port ?? env['PORT'] ?? '8080', 65_535),
    };
  } catch (error) {
    console.error(`quickstart: ${(error as Error).message}\n${usage}`);
    process.exit(64);
  }
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > max) throw new Error(`${name} must be a whole number up to ${max}, got ${text}`);
  return value;
}
