import { parseArgs } from 'node:util';
import { HomeLockedError } from '../services/control-plane/home/home-lock.ts';
import {
  RebuildRefusedError,
  type RebuildReport,
  rebuildHome,
} from '../services/control-plane/rebuild/rebuild-home.ts';
import { readSettings } from '../services/control-plane/settings.ts';
import { createLogger } from '../services/platform/logger.ts';
import { SettingsError } from '../services/platform/settings.ts';

/** `./scripts/rebuild.sh [--replace]`: a database from everything else in TANDEM_HOME. */
try {
  const { values } = parseArgs({ options: { replace: { type: 'boolean', default: false } } });
  const { home } = readSettings(process.env, process.cwd());
  const log = createLogger({ level: 'warn' });
  report(home, await rebuildHome({ home, replace: values.replace, now: Date.now, log }));
} catch (error) {
  const known = [HomeLockedError, RebuildRefusedError, SettingsError, TypeError].some((kind) => error instanceof kind);
  process.stderr.write(`rebuild: ${known ? (error as Error).message : (error as Error).stack}\n`);
  process.exitCode = error instanceof TypeError || error instanceof SettingsError ? 64 : 69;
}

function report(home: string, found: RebuildReport): void {
  const { runs, attempts, checkpoints, records, events, ended, aside, problems } = found;
  console.log(`${home}/tandem.db is rebuilt:`);
  console.log(
    `  ${runs} runs with ${attempts} attempts, ${checkpoints} checkpoints, ${records} records, ${events} events`,
  );
  for (const run of ended) console.log(`  ${run} was under way and has been ended; POST /runs/${run}/resume goes on`);
  if (aside !== null) console.log(`  the database that was there is now ${aside}`);
  for (const problem of problems) console.log(`  not restored: ${problem}`);
}
