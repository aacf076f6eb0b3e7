import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { hasProgram } from './docker-daemon/docker-daemon.ts';

const cache = process.env['TANDEM_TEST_CACHE'] ?? join(homedir(), '.cache/tandem-test');

/** The compose programs there are to test with: those that `TANDEM_COMPOSE` names, separated by colons, else what scripts/test.sh has left. */
export function composePrograms(): string[] {
  const named = process.env['TANDEM_COMPOSE'];
  if (named) return named.split(':');
  return ['docker-compose', join(cache, 'compose/cmd')].filter((program) =>
    program.includes('/') ? existsSync(program) : hasProgram(program),
  );
}
