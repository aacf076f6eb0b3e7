import { basename, dirname } from 'node:path';
import { distinctTitles } from '../../services/control-plane/reports/comparison.ts';
import { comparedCurves, comparisonPlots } from '../../services/control-plane/reports/comparison-plots.ts';
import { renderComparisonReport } from '../../services/control-plane/reports/comparison-report.ts';
import { drawSvg } from '../../services/control-plane/reports/draw-svg.ts';
import { measureLog } from '../../services/control-plane/reports/measures.ts';
import { surviveOutputErrors } from '../../services/platform/survive-output-errors.ts';
import { runScript, type ScriptHost } from '../train/run-script.ts';
import { connector } from '../visualize-training-log/connector.ts';
import { EXIT, ReportError } from '../visualize-training-log/exit-codes.ts';
import { readSource, type Source } from '../visualize-training-log/read-source.ts';
import { writeOutput } from '../visualize-training-log/write-output.ts';
import { type CompareOptions, readOptions, usage } from './options.ts';

surviveOutputErrors();
process.exitCode = await runScript({ name: 'compare_experiments', usage, readOptions, run });

async function run(options: CompareOptions, { root, environment }: ScriptHost): Promise<number> {
  const { client, close } = connector({ root, environment, url: options.url });
  try {
    return await compare(options, client);
  } finally {
    await close();
  }
}

/** A log that cannot be read is named and left out: among many runs one has always just been started. */
async function compare(
  { logs, output }: CompareOptions,
  client: ReturnType<typeof connector>['client'],
): Promise<number> {
  const warnings: string[] = [];
  const sources: Source[] = [];
  for (const log of logs) {
    try {
      const source = await readSource(log, client);
      sources.push(source);
      if (source.damage !== null) warnings.push(source.damage);
    } catch (error) {
      if (!(error instanceof ReportError)) throw error;
      warnings.push(`Left out: ${error.message}`);
    }
  }
  for (const warning of warnings) console.error(`compare_experiments: ${warning}`);
  if (sources.length < 2)
    throw new ReportError(
      `${sources.length} of ${logs.length} logs can be read; comparing takes two or more`,
      EXIT.data,
    );
  const titles = distinctTitles(sources.map(({ title }) => title));
  const runs = sources.map(({ log, settings }, at) => ({ title: titles[at] ?? '', log: measureLog(log), settings }));
  const pictures = comparisonPlots(runs.flatMap(comparedCurves)).map(drawSvg);
  const report = renderComparisonReport({ runs, pictures, warnings, madeAt: new Date().toISOString() });
  console.log(`${await writeOutput(dirname(output), basename(output), report)}: ${runs.length} runs compared`);
  return warnings.length > 0 ? EXIT.data : 0;
}
