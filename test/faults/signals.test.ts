import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { roleProcesses } from '../support/processes.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, pidOf, startTandem, type Tandem } from '../support/tandem.ts';
import { expectAllKept } from '../support/what-is-kept.ts';

const full = process.env['TANDEM_TEST_FULL'] === '1';
/** How long a stopped process stands still. */
const STILL_MS = full ? 60_000 : 4000;

let tandem: Tandem;
let small: SmallRuns;
let wanted: Awaited<ReturnType<typeof finalState>>;

beforeAll(async () => {
  tandem = await startTandem({ TANDEM_SWEEP_GRACE: '0' });
  small = await makeSmallRuns(tandem);
  const straight = await tandem.until((await tandem.post<Run>('/runs', grpo())).id, ended);
  wanted = await finalState(tandem, straight.id);
});
afterAll(() => tandem?.dispose());

/** A request that takes longer than this is repeated, so a server that stands still is noticed. */
const grpo = (rest: object = {}) =>
  small.grpo(
    { max_steps: 30, save_steps: 5, eval_steps: 10 },
    { inference: { vllm: { timeout: full ? 20 : 2 } }, ...rest },
  );

/** A run that has done a step. */
async function startRun(rest: object = {}): Promise<Run> {
  const { id } = await tandem.post<Run>('/runs', grpo(rest));
  return tandem.until(id, (run) => (run.progress?.step ?? 0) >= 1);
}

async function expectUndisturbed(id: string, attempts: number): Promise<Run> {
  await tandem.until(id, ended);
  const run = await expectAllKept(tandem, id);
  expect(run, run.message).toMatchObject({ status: 'succeeded' });
  expect(run.attempts).toHaveLength(attempts);
  expect(await finalState(tandem, id)).toEqual(wanted);
  return run;
}

test('SIGTERM ends the control plane in order and leaves trainer and server running', async () => {
  const before = await startRun();
  const processes = roleProcesses(tandem.home);
  const trainer = pidOf(before, 'trainer');
  // It stands still so that it cannot end by itself meanwhile; a SIGTERM that it got would end it at SIGCONT.
  process.kill(trainer, 'SIGSTOP');
  try {
    const exit = new Promise((resolve) => tandem.process().once('exit', resolve));
    tandem.process().kill('SIGTERM');
    expect(await exit).toBe(0);
    expect(roleProcesses(tandem.home)).toEqual(processes);
  } finally {
    process.kill(trainer, 'SIGCONT');
    await tandem.start();
  }
  const run = await expectUndisturbed(before.id, 1);
  expect(run.attempts[0]?.roles.map(({ pid }) => pid).sort()).toEqual(processes.map(({ pid }) => pid).sort());
});

test('SIGTERM lets a trainer save and end, and the restart goes on from that very step', async () => {
  const before = await startRun({ recovery: { max_restarts: 1, backoff_seconds: 0 } });
  process.kill(pidOf(before, 'trainer'), 'SIGTERM');
  const run = await expectUndisturbed(before.id, 2);
  expect(run.attempts[0]?.roles.find(({ role }) => role === 'trainer')).toMatchObject({ exit_code: 0 });
  const saved = /checkpoint-(\d+)$/.exec(run.attempts[1]?.resumed_from ?? '')?.[1];
  const stop = (await tandem.events(before.id)).find(({ name }) => name === 'attempt_ended');
  expect(stop).toMatchObject({ reason: 'trainer_killed' });
  expect(Number(saved)).toBeGreaterThanOrEqual(1);
});

test('SIGTERM ends an inference server, and another one takes its place below the same trainer', async () => {
  const before = await startRun();
  process.kill(pidOf(before, 'inference'), 'SIGTERM');
  const run = await expectUndisturbed(before.id, 1);
  expect(run.attempts[0]?.roles.find(({ role }) => role === 'trainer')?.pid).toBe(pidOf(before, 'trainer'));
  const starts = (await tandem.events(before.id)).filter(
    ({ name, data }) => name === 'role_started' && data['role'] === 'inference',
  );
  expect(starts).toHaveLength(2);
});

test.each([
  'trainer',
  'inference',
] as const)(`a process (%s) that stands still for ${STILL_MS / 1000} s goes on as if nothing had been, and nobody starts another one`, async (role) => {
  const before = await startRun();
  const pid = pidOf(before, role);
  process.kill(pid, 'SIGSTOP');
  try {
    await sleep(STILL_MS);
    expect(roleProcesses(tandem.home)).toHaveLength(2);
    expect((await tandem.run(before.id)).status).toBe('running');
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  const run = await expectUndisturbed(before.id, 1);
  expect(run.attempts[0]?.roles.find((each) => each.role === role)).toMatchObject({ pid, exit_code: 0 });
});

test(`a control plane that stands still for ${STILL_MS / 1000} s holds nobody up and gets every record once`, async () => {
  const before = await startRun();
  tandem.process().kill('SIGSTOP');
  try {
    await sleep(STILL_MS);
  } finally {
    tandem.process().kill('SIGCONT');
  }
  await expectUndisturbed(before.id, 1);
});
