import { spawn } from 'node:child_process';
import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { roleProcesses } from '../support/processes.ts';
import { killWithShim, renote, roleDirectory } from '../support/role-files.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';
import { recordsOf } from '../support/what-is-kept.ts';

let tandem: Tandem;
let small: SmallRuns;

beforeEach(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
});
afterEach(() => tandem?.dispose());

const once = { recovery: { max_restarts: 1, backoff_seconds: 0 } };

test('after a reboot a run says so and goes on from its checkpoint to the same end', async () => {
  const spec = small.grpo({ max_steps: 20, save_steps: 2 }, once);
  const straight = await tandem.until((await tandem.post<Run>('/runs', spec)).id, ended);
  const { id } = await tandem.post<Run>('/runs', spec);
  await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 3);
  await vi.waitUntil(async () => (await tandem.checkpoints(id)).length > 0, { timeout: 30_000 });

  await tandem.kill();
  for (const role of ['trainer', 'inference'] as const) {
    const directory = roleDirectory(tandem, id, 1, role);
    killWithShim(directory);
    renote(directory, () => ({ bootId: '00000000-0000-4000-8000-000000000000' }));
  }
  // What was not synced is gone, too: the spool ends within a line that the control plane may have long got.
  const spool = join(roleDirectory(tandem, id, 1, 'trainer'), 'spool.jsonl');
  truncateSync(spool, Math.floor(statSync(spool).size / 2));
  await tandem.start();

  const run = await tandem.until(id, ended);
  expect(run, run.message).toMatchObject({ status: 'succeeded' });
  expect(run.attempts).toMatchObject([{ reason: 'host_rebooted' }, { reason: 'completed' }]);
  expect(run.attempts[1]?.resumed_from).toMatch(/\/a1\/checkpoint-\d+$/);
  expect(await finalState(tandem, id)).toEqual(await finalState(tandem, straight.id));
  expect([...recordsOf(tandem, id).keys()]).toEqual([1, 2]);
});

test('a process that has got the number of a trainer that is gone is neither taken for it nor signalled', async () => {
  const bystander = spawn('sleep', ['600'], { stdio: 'ignore' });
  try {
    const { id } = await tandem.post<Run>('/runs', { ...small.sft({ max_steps: 400, save_steps: 5 }), ...once });
    await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 6);
    await tandem.kill();
    const directory = roleDirectory(tandem, id, 1, 'trainer');
    killWithShim(directory);
    renote(directory, () => ({ pid: bystander.pid as number }));
    await tandem.start();

    const again = await tandem.until(id, (run) => run.attempts.length === 2 && run.status === 'running');
    expect(again.attempts[0]).toMatchObject({ reason: 'trainer_lost', roles: [{ state: 'lost', exit_code: null }] });
    expect(roleProcesses(tandem.home)).toHaveLength(1);
    await tandem.post(`/runs/${id}/cancel`);
    await tandem.until(id, ended);
    expect([bystander.exitCode, bystander.signalCode]).toEqual([null, null]);
  } finally {
    bystander.kill('SIGKILL');
  }
});
