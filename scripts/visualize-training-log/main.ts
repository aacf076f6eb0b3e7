import { join } from 'node:path';
import { renderCsv } from '../../services/control-plane/reports/csv.ts';
import { renderSummary } from '../../services/control-plane/reports/summary.ts';
import { withEnvFile } from '../../services/platform/settings.ts';
import { surviveOutputErrors } from '../../services/platform/survive-output-errors.ts';
import { findRoot } from '../train/find-root.ts';
import { connector } from './connector.ts';
import { EXIT } from './exit-codes.ts';
import { readOptions, usage, type VisualizeOptions } from './options.ts';
import { readSource, type Source } from './read-source.ts';
import { runScript } from './run-script.ts';
import { writeOutput } from './write-output.ts';

// What draws is loaded when something is to be drawn: the summary alone is there in a fraction of the time.
surviveOutputErrors();
const root = findRoot(import.meta.dirname);
const environment = withEnvFile(process.env, join(root, '.env'));

await runScript('visualize_training_log', usage, async () => {
  const options = readOptions(process.argv.slice(2), environment);
  if (options === null) return void console.log(usage);
  const { client, close } = connector({ root, environment, url: options.url });
  try {
    await visualize(options, await readSource(options.log, client));
  } finally {
    await close();
  }
});

async function visualize(options: VisualizeOptions, source: Source): Promise<void> {
  const { log, damage } = source;
  process.stdout.write(renderSummary(log));
  const written: string[] = [];
  const write = async (name: string, data: string | Uint8Array) =>
    void written.push(await writeOutput(options.output, name, data));
  if (options.exportCsv) {
    await write('train_history.csv', [...renderCsv(log.train)].join(''));
    await write('val_history.csv', [...renderCsv(log.validation)].join(''));
  }
  if (options.plot || options.html) {
    const { drawRun } = await import('./draw-run.ts');
    await drawRun(source, options, write);
  }
  if (written.length > 0) console.log(`\nWritten:\n${written.map((path) => `  ${path}`).join('\n')}`);
  else if (options.plot) console.log('\nNothing to draw yet: the log has no training entries.');
  if (damage === null) return;
  console.error(`visualize_training_log: ${damage}`);
  process.exitCode = EXIT.data;
}
