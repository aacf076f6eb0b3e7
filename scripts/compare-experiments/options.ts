import { parseArgs } from 'node:util';
import { readUrl, UsageError } from '../train/options.ts';

export interface CompareOptions {
  /** Files or run ids. */
  logs: readonly string[];
  output: string;
  url: string | null;
}

/** Logs at once. The page says from which on their curves look alike. */
const MAX_LOGS = 50;

export const usage = `Usage: ./scripts/compare_experiments --logs outputs/*/training_log.json [--output comparison_report.html]
  --logs F...      training_log.json files, or ids of runs, two or more
  --output F       the page that is written; comparison_report.html by default
  --url URL        control plane to ask for runs (or TANDEM_URL); by default the one of this host`;

/** What the command line and the environment ask for; null when they ask for the usage. @throws UsageError */
export function readOptions(
  args: string[],
  environment: Readonly<Record<string, string | undefined>>,
): CompareOptions | null {
  const { values, positionals } = parse(args);
  if (values.help) return null;
  // A shell writes many names behind one --logs.
  const logs = [...new Set([...(values.logs ?? []), ...positionals])];
  if (logs.length < 2)
    throw new UsageError(`--logs names ${logs.length === 0 ? 'none' : 'one log'}; comparing takes two or more`);
  if (logs.length > MAX_LOGS) throw new UsageError(`--logs names ${logs.length} logs; give ${MAX_LOGS} at most`);
  return { logs, output: values.output ?? 'comparison_report.html', url: readUrl(values.url, environment) };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        logs: { type: 'string', multiple: true },
        output: { type: 'string' },
        url: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
