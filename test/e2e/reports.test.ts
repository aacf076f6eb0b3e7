import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import type { Comparison } from '../../services/control-plane/reports/comparison.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';

const chromium = process.env['TANDEM_CHROMIUM'];
const shots = process.env['TANDEM_SCREENSHOTS'];
const main = resolve(import.meta.dirname, '../../dist/scripts/visualize-training-log/main.js');

/** A run that was resumed twice, and a fork of it. */
let tandem: Tandem;
let id: string;
let fork: string;
let directory: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-reports-'));
  tandem = await startTandem();
  const small = await makeSmallRuns(tandem);
  const spec = small.sft({ max_steps: 10, logging_steps: 1, eval_steps: 5, save_steps: 5 });
  ({ id } = await tandem.post<Run>('/runs', { ...spec, name: '<b>twice</b>' }));
  await tandem.untilSucceeded(id);
  for (const steps of [20, 30]) {
    await tandem.post(`/runs/${id}/resume`, { overrides: { training: { max_steps: steps } } });
    await tandem.untilSucceeded(id);
  }
  const overrides = { training: { max_steps: 35, learning_rate: 1e-3 } };
  ({ id: fork } = await tandem.post<Run>(`/runs/${id}/resume`, { fork: true, overrides }));
  await tandem.untilSucceeded(fork);
});
afterAll(async () => {
  await tandem?.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const answer = (path: string, accept = '*/*') => fetch(`${tandem.url}${path}`, { headers: { accept } });
const visualize = (...args: string[]) =>
  spawnSync('node', [main, ...args], {
    encoding: 'utf8',
    cwd: directory,
    env: { PATH: process.env['PATH'] ?? '', TANDEM_URL: tandem.url },
  });

test('the log by the API is the file in the tree, and so is its summary by id', async () => {
  const file = join(tandem.tree(await tandem.run(id)), 'training_log.json');
  expect(await (await answer(`/runs/${id}/training-log`)).text()).toBe(readFileSync(file, 'utf8'));
  const byFile = visualize('--log', file, '--no-plot');
  const byId = visualize('--log', id, '--no-plot');
  expect([byId.status, byId.stderr, byId.stdout]).toEqual([0, '', byFile.stdout]);
  expect(byId.stdout).toContain('Training History: 30 entries');
});

test('its pictures mark both resumes, by the API and by the script', async () => {
  const svg = await (await answer(`/runs/${id}/plots/loss_curve.svg`)).text();
  expect(svg).toMatch(/resumed \(a2\).*resumed \(a3\)/s);
  const png = await answer(`/runs/${id}/plots/loss_curve.png`);
  const bytes = Buffer.from(await png.arrayBuffer());
  expect(bytes.readUInt32BE(16)).toBe(1440);
  if (shots) writeFileSync(join(shots, 'loss_curve.png'), bytes);
  const { status } = visualize('--log', id, '--output', 'plots', '--html');
  expect(status).toBe(0);
  expect(readFileSync(join(directory, 'plots/report.html'), 'utf8')).toMatch(/resumed \(a2\).*resumed \(a3\)/s);
});

test('it is compared with its fork: what differs comes first', async () => {
  const { settings } = await tandem.get<Comparison>(`/compare?runs=${id},${fork}`);
  expect(settings.filter(({ differs }) => differs).map(({ key }) => key)).toEqual(
    expect.arrayContaining(['training.learning_rate', 'training.max_steps']),
  );
  expect(settings[0]?.differs).toBe(true);
});

test.skipIf(!chromium)('its pages fit a wide and a narrow window, and break no policy', async () => {
  const { chromium: launcher } = await import('playwright-core');
  const quiet = ['--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  const browser = await launcher.launch({
    executablePath: chromium!,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', ...quiet],
  });
  try {
    for (const [name, path] of [
      ['report', `/runs/${id}/report`],
      ['compare', `/compare?runs=${id},${fork}`],
    ] as const) {
      for (const width of [1360, 390]) {
        const page = await browser.newPage({ viewport: { width, height: 1200 } });
        const complaints: string[] = [];
        page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
        page.on('request', (request) => request.url() !== `${tandem.url}${path}` && complaints.push(request.url()));
        await page.goto(`${tandem.url}${path}`);
        if (shots) await page.screenshot({ path: join(shots, `${name}-${width}.png`), fullPage: true });
        expect(await page.locator('svg').count()).toBeGreaterThan(1);
        expect(await page.getByText('<b>twice</b>').count()).toBeGreaterThan(0);
        // A string: these sources are compiled without the types of a browser.
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
        expect(complaints.filter((each) => !each.endsWith('/favicon.ico'))).toEqual([]);
        await page.close();
      }
    }
  } finally {
    await browser.close();
  }
});
