import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { operations } from '../../services/contracts/operations.ts';
import type { Run } from '../../services/contracts/run.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';

const installed = join(homedir(), '.cache/tandem-test/schemathesis/bin/schemathesis');
const program = process.env['TANDEM_SCHEMATHESIS'] ?? (existsSync(installed) ? installed : null);
const full = process.env['TANDEM_TEST_FULL'] === '1';
const seconds = full ? 300 : 15;
/** Whether a valid spec is also one that this machine can run is not said by its schema, so nothing is concluded from a refusal. */
const checks = ['--checks', 'all', '--exclude-checks', 'positive_data_acceptance'];

describe.skipIf(program === null)('schemathesis (scripts/test.sh installs it)', () => {
  let tandem: Tandem;
  let document: OpenApi;
  let ids: string[];

  beforeAll(async () => {
    tandem = await startTandem();
    const small = await makeSmallRuns(tandem);
    ids = [];
    for (let i = 0; i < 3; i++)
      ids.push((await tandem.post<Run>('/runs', small.sft({ max_steps: 4, save_steps: 2 }))).id);
    for (const id of ids) await tandem.until(id, ended);
    document = await tandem.get<OpenApi>('/openapi.json');
  });
  afterAll(() => tandem?.dispose());

  test('finds nothing to object to where there are no runs', async () => {
    await expectClean(document, 'openapi.json');
  });

  test('finds nothing to object to in what is answered about runs that there are', async () => {
    await expectClean(askingOnlyFor(ids, document), 'openapi-known-runs.json');
    expect(tandem.process().exitCode).toBeNull();
    expect(tandem.serverLog()).not.toMatch(/ - ERROR - /);
  });

  async function expectClean(description: OpenApi, name: string): Promise<void> {
    const file = join(tandem.directory, name);
    writeFileSync(file, JSON.stringify(description));
    const seed = full ? [] : ['--seed', '20261120'];
    const { code, printed } = await run(
      ...['run', file, '--url', tandem.url, '--exclude-tag', 'agent', ...checks, ...seed],
      ...['--phases', 'examples,coverage,fuzzing', '--max-time', String(seconds), '--request-timeout', '5'],
      ...['--max-response-time', '5', '--continue-on-failure', '--no-color', '--warnings', 'off'],
    );
    expect(code, printed).toBe(0);
    expect(printed).toMatch(new RegExp(`Tested: +${Object.keys(operations).length}\\n`));
  }

  function run(...options: string[]): Promise<{ code: number | null; printed: string }> {
    const child = spawn(program as string, options, { cwd: tandem.directory, stdio: ['ignore', 'pipe', 'pipe'] });
    let printed = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += String(chunk)));
    return new Promise((resolve) => child.once('close', (code) => resolve({ code, printed })));
  }
});

/** Paths name runs that there are; answers may name others, such as one that was forked off meanwhile. */
function askingOnlyFor(ids: readonly string[], document: OpenApi): OpenApi {
  const known = structuredClone(document);
  const operationsOf = Object.values(known.paths).flatMap((path) => Object.values(path));
  const ofRuns = operationsOf.flatMap(({ parameters = [] }) => parameters).filter(namesRun);
  expect(ofRuns.length).toBeGreaterThan(10);
  for (const parameter of ofRuns) parameter.schema = { type: 'string', enum: ids };
  return known;
}

const namesRun = ({ in: where, schema }: Parameter) =>
  where === 'path' && schema['$ref'] === '#/components/schemas/RunId';

interface OpenApi {
  paths: Record<string, Record<string, { parameters?: Parameter[] }>>;
}

interface Parameter {
  in: string;
  schema: Record<string, unknown>;
}
