import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { readUrl, UsageError } from '../train/options.ts';
import { isRunId } from './read-source.ts';

export interface VisualizeOptions {
  /** A file, or the id of a run. */
  log: string;
  output: string;
  exportCsv: boolean;
  plot: boolean;
  html: boolean;
  url: string | null;
}

export const usage = `Usage: ./scripts/visualize_training_log --log F [--output D] [--export-csv] [--no-plot] [--html]
  --log F          training_log.json, or the id of a run, whose records are then asked of the control plane
  --output D       directory of what is written; plots/ beside the file, plots/<run> for a run by default
  --export-csv     write train_history.csv and val_history.csv as well
  --no-plot        write no pictures: watch ./scripts/visualize_training_log --log F --no-plot
  --html           write report.html as well: curves, statistics, validations and configuration on one page
  --url URL        control plane to ask for a run (or TANDEM_URL); by default the one of this host`;

/** What the command line and the environment ask for; null when they ask for the usage. @throws UsageError */
export function readOptions(
  args: string[],
  environment: Readonly<Record<string, string | undefined>>,
): VisualizeOptions | null {
  const values = parse(args);
  if (values.help) return null;
  const { log } = values;
  if (log === undefined || log === '') throw new UsageError('--log is missing; name a training_log.json or a run');
  return {
    log,
    output: values.output ?? (isRunId(log) ? join('plots', log) : join(dirname(log), 'plots')),
    exportCsv: values['export-csv'] ?? false,
    plot: !(values['no-plot'] ?? false),
    html: values.html ?? false,
    url: readUrl(values.url, environment),
  };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        log: { type: 'string' },
        output: { type: 'string' },
        'export-csv': { type: 'boolean' },
        'no-plot': { type: 'boolean' },
        html: { type: 'boolean' },
        url: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
