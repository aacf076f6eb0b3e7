import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { withEnvFile } from '../../services/platform/settings.ts';
import { type Client, RefusedError } from '../quickstart/client.ts';
import { screen } from '../quickstart/screen.ts';
import { findControlPlane } from '../train/control-plane.ts';
import { findRoot } from '../train/find-root.ts';
import { UsageError } from '../train/options.ts';
import { fetchVerified } from './fetch-verified.ts';
import { type ExportOptions, readOptions, usage } from './options.ts';
import { renderReadme } from './readme.ts';

/** sysexits.h: wrong usage. */
const EXIT_USAGE = 64;

const root = findRoot(import.meta.dirname);
const environment = withEnvFile(process.env, join(root, '.env'));

try {
  const options = readOptions(process.argv.slice(2), environment);
  if (options === null) console.log(usage);
  else await exportCheckpoint(options);
} catch (error) {
  screen.line(`export.sh: ${(error as Error).message}`);
  if (error instanceof UsageError) console.error(usage);
  process.exitCode = error instanceof UsageError ? EXIT_USAGE : 1;
}

async function exportCheckpoint({ run, checkpoint, directory: wanted, url }: ExportOptions): Promise<void> {
  const { client, cleanUp } = await findControlPlane({ root, environment, url, keep: false });
  try {
    const name = checkpoint ?? (await bestOf(run, client));
    const directory = resolve(wanted ?? join('exports', `${run}-${name.replaceAll('/', '-')}`));
    const exported = await client.exported(run, name, directory);
    await mkdir(directory, { recursive: true });
    screen.step(`${exported.checkpoint} → ${directory}`);
    for (const file of exported.files) {
      const how = await fetchVerified(file, directory, client.bytes);
      screen.line(`  ${file.path}  ${file.size} bytes  sha256 ${file.sha256.slice(0, 12)}…  ${how}`);
    }
    await writeFile(join(directory, 'README.md'), renderReadme(exported, root));
    for (const note of exported.notes) screen.line(`  ${note}`);
    screen.step('Serve it with');
    screen.line(exported.command_line);
  } finally {
    await cleanUp();
  }
}

/** As `runs/<id>` means it: the best, else the final, else the latest. */
async function bestOf(run: string, client: Client): Promise<string> {
  const checkpoints = await client.checkpoints(run);
  const alias = (['best', 'final', 'latest'] as const).find((each) =>
    checkpoints.some(({ aliases }) => aliases.includes(each)),
  );
  if (alias === undefined) throw new RefusedError(`${run} has no checkpoint yet`, 404);
  return alias;
}
