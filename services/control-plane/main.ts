import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DatabaseOpenError } from '../platform/database.ts';
import { SettingsError, withEnvFile } from '../platform/settings.ts';
import { onShutdown } from '../platform/shutdown.ts';
import { StorageFaultError } from '../platform/storage-error.ts';
import { surviveOutputErrors } from '../platform/survive-output-errors.ts';
import { ensureApiKeyFile } from './home/api-key-file.ts';
import { HomeLockedError } from './home/home-lock.ts';
import { ListenError } from './listen.ts';
import { apiKeyFile } from './settings/api-key.ts';
import { readSettings } from './settings.ts';
import { startControlPlane } from './start-control-plane.ts';
import { StartError } from './start-error.ts';

/** sysexits.h: wrong usage, and a service that is not available. */
const EXIT_USAGE = 64;
const EXIT_UNAVAILABLE = 69;
const SHUTDOWN_MS = 15_000;

surviveOutputErrors();
const here = dirname(fileURLToPath(import.meta.url));
const root = findRoot(here);

try {
  refuseArguments(process.argv.slice(2));
  const environment = withEnvFile(process.env, join(process.cwd(), '.env'));
  const keyFile = apiKeyFile(environment, process.cwd());
  if (keyFile !== null) await ensureApiKeyFile(keyFile);
  const settings = readSettings(environment, process.cwd());
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const controlPlane = await startControlPlane({
    settings,
    environment,
    cwd: process.cwd(),
    version,
    programs: {
      node: process.execPath,
      inference: join(here, '../inference/main.js'),
      trainer: join(here, '../trainer/main.js'),
    },
    gpuProfiles: join(root, 'gpu-profiles'),
  });
  say(`Tandem ${version} listens at ${controlPlane.url} (API documentation: ${controlPlane.url}/docs)`);
  onShutdown({
    close: async (signal) => {
      say(`${signal}: ending; trainers go on and are found again at the next start`);
      await controlPlane.close();
    },
    failed: (error) => say(`did not end in order: ${(error as Error).message}`),
    deadlineMs: SHUTDOWN_MS,
  });
} catch (error) {
  fail(error);
}

/** Settings come from the environment alone: `--help` must not start a service. What was given is not repeated, since it may be a secret. */
function refuseArguments(given: readonly string[]): void {
  if (given.length === 0) return;
  throw new SettingsError(
    'the control plane takes no arguments: set environment variables, or lines of a file .env, such as PORT=8080; .env.example lists them all',
  );
}

function fail(error: unknown): void {
  const known = [SettingsError, StartError, DatabaseOpenError, HomeLockedError, ListenError, StorageFaultError].some(
    (kind) => error instanceof kind,
  );
  process.stderr.write(known ? `tandem: ${(error as Error).message}\n` : `tandem: ${(error as Error).stack}\n`);
  process.exitCode = error instanceof SettingsError ? EXIT_USAGE : EXIT_UNAVAILABLE;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The package's directory, whether this file runs from the sources or from `dist`. */
function findRoot(from: string): string {
  for (let at = from; dirname(at) !== at; at = dirname(at)) {
    if (existsSync(join(at, 'gpu-profiles'))) return at;
  }
  throw new Error(`gpu-profiles is not found above ${from}: run Tandem from its own directory`);
}
