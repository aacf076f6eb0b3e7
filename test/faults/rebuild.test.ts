import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { atRest, ended, pidOf, startTandem, type Tandem } from '../support/tandem.ts';

const rebuildFile = resolve(import.meta.dirname, '../../dist/scripts/rebuild.js');

let tandem: Tandem;
let small: SmallRuns;

beforeEach(async () => {
  tandem = await startTandem({ TANDEM_SLOTS: '2' });
  small = await makeSmallRuns(tandem);
});
afterEach(() => tandem?.dispose());

test('a lost database is rebuilt: everything is visible as before, and what was under way is resumed to the same bytes', async () => {
  const straight = await done(
    (await tandem.post<Run>('/runs', { ...small.grpo({ max_steps: 24 }), labels: { team: 'a' } })).id,
  );
  const killed = (await tandem.post<Run>('/runs', { ...small.sft(), name: 'killed once' })).id;
  await tandem.until(killed, (run) => (run.progress?.step ?? 0) >= 20);
  process.kill(pidOf(await tandem.run(killed), 'trainer'), 'SIGKILL');
  await tandem.until(killed, ended);
  await tandem.post(`/runs/${killed}/resume`, { from: 'latest' });
  await done(killed);
  const fork = await tandem.post<Run>(`/runs/${straight.id}/resume`, {
    from: 'latest',
    fork: true,
    overrides: { training: { max_steps: 26 } },
  });
  await done(fork.id);
  const stopped = (await tandem.post<Run>('/runs', small.sft({ max_steps: 5000 }))).id;
  await tandem.post(`/runs/${stopped}/cancel`);
  await tandem.until(stopped, ended);
  const runs = [straight.id, killed, fork.id, stopped];
  for (const id of runs) await tandem.until(id, atRest);

  const before = await everything(runs);
  const live = (await tandem.post<Run>('/runs', small.grpo({ max_steps: 24 }))).id;
  await tandem.until(live, (run) => (run.progress?.step ?? 0) >= 4);
  const { size: liveRecords } = await visible(live);
  await tandem.kill();
  for (const suffix of ['', '-wal', '-shm']) rmSync(join(tandem.home, `tandem.db${suffix}`), { force: true });
  const said = await rebuild();
  await tandem.start();

  expect(said).toContain('5 runs');
  expect(said).toContain(`${live} was under way`);
  expect(said).not.toContain('not restored');
  expect(await everything(runs)).toEqual(before);
  expect(await tandem.run(live)).toMatchObject({ status: 'failed', reason: 'control_plane_error' });
  expect((await visible(live)).size).toBeGreaterThanOrEqual(liveRecords);
  await tandem.post(`/runs/${live}/resume`, { from: 'latest' });
  const resumed = await done(live);
  expect(resumed.attempts.length).toBe(2);
  expect(await finalState(tandem, live)).toEqual(await finalState(tandem, straight.id));
  await tandem.post(`/runs/${killed}/resume`, { from: 'latest', overrides: { training: { max_steps: 62 } } });
  expect((await done(killed)).attempts).toHaveLength(3);
});

test('a rebuild is refused while a control plane uses the home, and while the database can be read', async () => {
  const { id } = await tandem.post<Run>('/runs', small.sft({ max_steps: 5 }));
  await tandem.until(id, ended);
  await expect(rebuild()).rejects.toThrow(/another control plane \(pid \d+\) uses/);
  await tandem.kill();
  await expect(rebuild()).rejects.toThrow(/can be read and knows 1 runs: nothing needs rebuilding; --replace/);
  writeFileSync(join(tandem.home, 'tandem.db'), 'not a database at all, and long enough to be looked at');
  expect(await rebuild()).toMatch(/the database that was there is now .*tandem\.db\.before-/);
  const aside = readdirSync(tandem.home).find(
    (name) => name.startsWith('tandem.db.before-') && !/-(wal|shm)$/.test(name),
  );
  expect(readFileSync(join(tandem.home, aside as string), 'utf8')).toMatch(/^not a database/);
  await tandem.start();
  expect(await tandem.run(id)).toMatchObject({ status: 'succeeded' });
  expect(existsSync(join(tandem.home, 'tandem.db.rebuilding'))).toBe(false);
});

async function done(id: string): Promise<Run> {
  const run = await tandem.until(id, ended, 240);
  expect(run, run.message).toMatchObject({ status: 'succeeded' });
  return run;
}

/** All that the API shows of runs. */
async function everything(ids: readonly string[]) {
  const details = await Promise.all(
    ids.map(async (id) => ({
      run: await tandem.run(id),
      ...(await visible(id)),
      events: await tandem.events(id),
      evaluations: await tandem.evaluations(id),
      checkpoints: await tandem.checkpoints(id),
      metrics: await tandem.get(`/runs/${id}/metrics?points=10000`),
    })),
  );
  const labelled = await tandem.get<{ runs: Run[] }>('/runs?label=team%3Da');
  return { details, labelled: labelled.runs.map(({ id }) => id) };
}

async function visible(id: string) {
  const { lines } = await tandem.get<{ lines: unknown[] }>(`/runs/${id}/logs?tail=10000`);
  return { lines, size: lines.length };
}

/** What the command prints; rejects with what it says when it fails. */
async function rebuild(...args: string[]): Promise<string> {
  const env = { PATH: process.env['PATH'], TANDEM_HOME: tandem.home };
  const { stdout } = await promisify(execFile)(process.execPath, [rebuildFile, ...args], {
    env,
    cwd: tandem.directory,
  }).catch((error: { stderr: string }) => {
    throw new Error(error.stderr);
  });
  return stdout;
}
