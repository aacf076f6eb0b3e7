import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { freePort, startTandem, type Tandem } from '../support/tandem.ts';

const cache = process.env['TANDEM_TEST_CACHE'] ?? join(homedir(), '.cache/tandem-test');
const programs = process.env['TANDEM_PROMETHEUS'] ?? join(cache, 'promtool/usr/bin');
const monitoring = resolve(import.meta.dirname, '../../compose/monitoring');
const API_KEY = 'a-key-of-more-than-16-characters';

let directory: string;
let tandem: Tandem | undefined;
let prometheus: ChildProcess | undefined;
afterEach(async () => {
  prometheus?.kill('SIGKILL');
  await tandem?.dispose();
  if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
});

it.each([
  ['the environment', { TANDEM_API_KEY: API_KEY }],
  ['its file', {}],
])('the service metrics-key gives Prometheus the token from %s, readable for it', async (_, env) => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-metrics-key-'));
  const shipped = parse(readFileSync(join(monitoring, '../compose.monitoring.yaml'), 'utf8')) as Compose;
  const [node = '', option = '', program = ''] = shipped.services['metrics-key']?.command ?? [];
  expect([node, option]).toEqual(['node', '-e']);
  const secrets = join(directory, 'secrets-api-key');
  writeFileSync(secrets, Object.keys(env).length === 0 ? `${API_KEY}\n` : 'not-this-one', { mode: 0o600 });
  const given = join(directory, 'api-key');
  const moved = program.replace('/var/lib/tandem/secrets/api-key', secrets).replace('/run/tandem/api-key', given);
  await promisify(execFile)(process.execPath, [option, moved], { env: { TANDEM_API_KEY: '', ...env } });
  expect(readFileSync(given, 'utf8')).toBe(API_KEY);
  expect(statSync(given).mode & 0o777).toBe(0o644);
});

interface Compose {
  services: Record<string, { command?: string[] }>;
}

describe.skipIf(!existsSync(join(programs, 'promtool')))('with a real Prometheus (scripts/test.sh brings it)', () => {
  it('each alert goes off for what it is about, and for nothing else', async () => {
    const promtool = (...args: string[]) =>
      promisify(execFile)(join(programs, 'promtool'), args, { cwd: join(monitoring, 'rules') });
    expect((await promtool('check', 'rules', 'tandem.rules.yaml')).stdout).toContain('SUCCESS');
    expect((await promtool('test', 'rules', 'tandem.test.yaml')).stdout).toContain('SUCCESS');
  });

  it('the shipped configuration scrapes a control plane that asks for its token, which others do not get past', async () => {
    directory = mkdtempSync(join(tmpdir(), 'tandem-prometheus-'));
    tandem = await startTandem({ TANDEM_API_KEY: API_KEY });
    expect((await fetch(`${tandem.url}/metrics`)).status).toBe(401);

    const port = await freePort();
    const address = `127.0.0.1:${port}`;
    writeFileSync(join(directory, 'api-key'), API_KEY);
    writeFileSync(join(directory, 'prometheus.yml'), configFor(new URL(tandem.url).host));
    const flags = [
      `--config.file=${join(directory, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
    ];
    prometheus = spawn(join(programs, 'prometheus'), [...flags, `--web.listen-address=${address}`], {
      stdio: 'ignore',
    });

    const query = async (promql: string): Promise<string | undefined> => {
      const url = `http://${address}/api/v1/query?query=${encodeURIComponent(promql)}`;
      const answer = await fetch(url).then(
        (response) => response.json() as Promise<QueryAnswer>,
        () => null,
      );
      return answer?.data.result[0]?.value[1];
    };
    await expect.poll(() => query('up{job="tandem"}'), { timeout: 20_000 }).toBe('1');
    expect(await query('tandem_runs{status="running"}')).toBe('0');
    expect(Number(await query('process_resident_memory_bytes{job="tandem"}'))).toBeGreaterThan(1e6);
    await expect
      .poll(() => query('tandem_http_request_seconds_count{operation="none",status="401"}'), {
        timeout: 10_000,
      })
      .toBe('1');
    const rules = (await (await fetch(`http://${address}/api/v1/rules`)).json()) as RulesAnswer;
    expect(rules.data.groups[0]?.rules.length).toBeGreaterThan(6);
  }, 60_000);
});

interface QueryAnswer {
  data: { result: { value: [number, string] }[] };
}

interface RulesAnswer {
  data: { groups: { rules: unknown[] }[] };
}

/** What compose mounts, with the addresses and paths of this test. */
function configFor(host: string): string {
  const shipped = parse(readFileSync(join(monitoring, 'prometheus.yaml'), 'utf8')) as {
    global: { scrape_interval: string };
    rule_files: string[];
    scrape_configs: { job_name: string; authorization: { credentials_file: string }; static_configs: unknown }[];
  };
  const [job] = shipped.scrape_configs.filter(({ job_name }) => job_name === 'tandem');
  return stringify({
    global: { scrape_interval: '1s' },
    rule_files: shipped.rule_files.map((path) => path.replace('/etc/prometheus', monitoring)),
    scrape_configs: [
      {
        ...job,
        authorization: { credentials_file: job!.authorization.credentials_file.replace('/run/tandem', directory) },
        static_configs: [{ targets: [host] }],
      },
    ],
  });
}
