import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type Client, RefusedError } from '../quickstart/client.ts';
import { screen } from '../quickstart/screen.ts';
import { findControlPlane } from '../train/control-plane.ts';
import { runScript, type ScriptHost } from '../train/run-script.ts';
import { fetchVerified } from './fetch-verified.ts';
import { type ExportOptions, readOptions, usage } from './options.ts';
import { renderReadme } from './readme.ts';

process.exitCode = await runScript({ name: 'export.sh', usage, readOptions, run: exportCheckpoint });

async function exportCheckpoint(
  { run, checkpoint, directory: wanted, url }: ExportOptions,
  { root, environment }: ScriptHost,
): Promise<number> {
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
    return 0;
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
