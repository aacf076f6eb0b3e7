import { renderCsv } from '../../services/control-plane/reports/csv.ts';
import { renderSummary } from '../../services/control-plane/reports/summary.ts';
import { historyColumns } from '../../services/control-plane/sinks/training-log.ts';
import { surviveOutputErrors } from '../../services/platform/survive-output-errors.ts';
import { runScript, type ScriptHost } from '../train/run-script.ts';
import { connector } from './connector.ts';
import { EXIT } from './exit-codes.ts';
import { readOptions, usage, type VisualizeOptions } from './options.ts';
import { readSource, type Source } from './read-source.ts';
import { writeOutput } from './write-output.ts';

// What draws is loaded when something is to be drawn: the summary alone is there in a fraction of the time.
surviveOutputErrors();
process.exitCode = await runScript({ name: 'visualize_training_log', usage, readOptions, run });

async function run(options: VisualizeOptions, { root, environment }: ScriptHost): Promise<number> {
  const { client, close } = connector({ root, environment, url: options.url });
  try {
    return await visualize(options, await readSource(options.log, client));
  } finally {
    await close();
  }
}

async function visualize(options: VisualizeOptions, source: Source): Promise<number> {
  const { log, damage } = source;
  process.stdout.write(renderSummary(log));
  const written: string[] = [];
  const write = async (name: string, data: string | Uint8Array) =>
    void written.push(await writeOutput(options.output, name, data));
  if (options.exportCsv) {
    const columns = historyColumns(log.method);
    await write('train_history.csv', [...renderCsv(log.train, columns.train)].join(''));
    await write('val_history.csv', [...renderCsv(log.validation, columns.validation)].join(''));
  }
  if (options.plot || options.html) {
    const { drawRun } = await import('./draw-run.ts');
    await drawRun(source, options, write);
  }
  if (written.length > 0) console.log(`\nWritten:\n${written.map((path) => `  ${path}`).join('\n')}`);
  else if (options.plot) console.log('\nNothing to draw yet: the log has no training entries.');
  if (damage === null) return 0;
  console.error(`visualize_training_log: ${damage}`);
  return EXIT.data;
}
