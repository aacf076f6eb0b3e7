import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { connectS3 } from '../services/control-plane/home/connect-s3.ts';
import { HomeLockedError } from '../services/control-plane/home/home-lock.ts';
import {
  RebuildRefusedError,
  type RebuildReport,
  rebuildHome,
} from '../services/control-plane/rebuild/rebuild-home.ts';
import { readSettings } from '../services/control-plane/settings.ts';
import { StartError } from '../services/control-plane/start-error.ts';
import { createLogger } from '../services/platform/logger.ts';
import { SettingsError, withEnvFile } from '../services/platform/settings.ts';

/** `./scripts/rebuild.sh [--replace]`: a database from everything else in TANDEM_HOME, and the object store. */
try {
  const { values } = parseArgs({ options: { replace: { type: 'boolean', default: false } } });
  const environment = withEnvFile(process.env, join(process.cwd(), '.env'));
  const { home, s3 } = readSettings(environment, process.cwd());
  const log = createLogger({ level: 'warn' });
  const rebuilt = await rebuildHome({
    home,
    s3,
    connect: (store) => connectS3(store, log),
    replace: values.replace,
    now: Date.now,
    log,
  });
  report(home, rebuilt);
} catch (error) {
  const known = [HomeLockedError, RebuildRefusedError, SettingsError, StartError, TypeError].some(
    (kind) => error instanceof kind,
  );
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
