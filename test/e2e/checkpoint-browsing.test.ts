import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Manifest } from '../../services/contracts/checkpoint.ts';
import type { RetentionReport } from '../../services/contracts/checkpoint-requests.ts';
import type { Run } from '../../services/contracts/run.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';
import { commandTypist } from '../support/typed-commands.ts';

/** The commands of `services/control-plane/checkpoints/README.md`, as a person types them; `$RUN` is a run that has succeeded. */
let tandem: Tandem;
let id: string;
let directory: string;
let type: ReturnType<typeof commandTypist>;

beforeAll(async () => {
  tandem = await startTandem();
  const small = await makeSmallRuns(tandem);
  const spec = small.sft({ max_steps: 40, save_steps: 10, eval_steps: 0, save_total_limit: 4 });
  ({ id } = await tandem.post<Run>('/runs', spec));
  await tandem.untilSucceeded(id);
  directory = mkdtempSync(join(tmpdir(), 'tandem-browse-'));
  type = commandTypist({ url: tandem.url, run: id, directory });
});
afterAll(async () => {
  await tandem?.dispose();
  rmSync(directory, { recursive: true, force: true });
});

const steps = async () => (await tandem.checkpoints(id)).map(({ step }) => step);

test('the files of a checkpoint are listed and fetched, whole and in part', async () => {
  const { files } = JSON.parse(await type('curl -s "$URL/latest"')) as Manifest;
  const config = files.find(({ path }) => path === 'training_state.json');
  await type('curl -fsSO');
  const bytes = readFileSync(join(directory, 'training_state.json'));
  expect(createHash('sha256').update(bytes).digest('hex')).toBe(config?.sha256);
  expect(await type('-r 0-63')).toHaveLength(64);
});

test('an archive unpacks to the files of its manifest', async () => {
  await type('/archive');
  const folder = join(directory, `${id}-checkpoint-40`);
  const { files } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest;
  for (const { path, sha256 } of files) {
    expect(
      createHash('sha256')
        .update(readFileSync(join(folder, path)))
        .digest('hex'),
      path,
    ).toBe(sha256);
  }
});

test('a broken archive is told by curl and by tar', async () => {
  const [latest] = await tandem.checkpoints(id);
  const path = join(tandem.home, `objects/runs/${id}/checkpoints/a${latest?.attempt}/${latest?.name}`, 'optimizer.pt');
  const whole = readFileSync(path);
  const damaged = Buffer.from(whole);
  damaged.writeUInt8(damaged.readUInt8(9) ^ 1, 9);
  writeFileSync(path, damaged);
  const into = join(directory, 'broken');
  mkdirSync(into);
  const line = `curl -sS ${tandem.url}/runs/${id}/checkpoints/latest/archive -o broken.tar`;
  const fetched = spawnSync('bash', ['-c', line], { cwd: into, encoding: 'utf8' });
  writeFileSync(path, whole);
  expect([fetched.status, fetched.stderr]).toEqual([18, expect.stringMatching(/transfer closed|outstanding/)]);
  expect(() => execFileSync('tar', ['-tf', 'broken.tar'], { cwd: into, stdio: 'pipe' })).toThrow(/Unexpected EOF/);
  expect(tandem.serverLog()).toMatch(/archive of a checkpoint was broken off.*optimizer\.pt has another sha256/);
});

test('a pin outlives what retention and users delete, and a rebuilt database', async () => {
  expect(JSON.parse(await type('-X POST "$URL/checkpoint-10/pin"'))).toMatchObject({ step: 10, pinned: true });
  const plan = JSON.parse(await type('prune?dry_run=true')) as RetentionReport;
  expect(plan.keep.find(({ name }) => name === 'a1/checkpoint-10')?.why).toContain('pinned');
  expect(await steps()).toEqual([40, 30, 20, 10]);
  await type('-X DELETE "$URL/checkpoint-20"');
  expect(await steps()).toEqual([40, 30, 10]);
  const refused = await fetch(`${tandem.url}/runs/${id}/checkpoints/checkpoint-10`, { method: 'DELETE' });
  expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining('is pinned; unpin it first')]);

  await tandem.kill();
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(tandem.home, `tandem.db${suffix}`), { force: true });
  execFileSync('./scripts/rebuild.sh', [], { env: { ...process.env, TANDEM_HOME: tandem.home }, stdio: 'pipe' });
  await tandem.start();
  const pinned = (await tandem.checkpoints(id)).filter(({ pinned: isPinned }) => isPinned);
  expect(pinned.map(({ step }) => step)).toEqual([10]);
  expect(existsSync(join(tandem.home, `objects/runs/${id}/checkpoints/a1/checkpoint-10/pinned.json`))).toBe(true);
  await type('-X DELETE "$URL/checkpoint-10/pin"');
  expect((await tandem.checkpoints(id)).some(({ pinned: isPinned }) => isPinned)).toBe(false);
});
