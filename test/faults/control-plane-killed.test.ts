import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, pidOf, startTandem, type Tandem } from '../support/tandem.ts';

let tandem: Tandem;
let small: SmallRuns;

beforeEach(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
});
afterEach(() => tandem?.dispose());

test('trainers go on while the control plane is dead, and not a record, checkpoint or log line is lost or doubled', async () => {
  const straight = await tandem.until((await tandem.post<Run>('/runs', small.grpo())).id, ended);
  const { id } = await tandem.post<Run>('/runs', small.grpo());
  const before = await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 2);
  const pid = pidOf(before, 'trainer');

  for (let round = 0; round < 3; round++) {
    await tandem.kill();
    await sleep(Math.random() * 1500);
    await tandem.start();
  }
  const run = await tandem.until(id, ended);

  expect(run, run.message).toMatchObject({ status: 'succeeded' });
  expect(run.attempts).toHaveLength(1);
  expect(run.attempts[0]?.roles.find(({ role }) => role === 'trainer')).toMatchObject({ exit_code: 0, pid });
  expect(await finalState(tandem, id)).toEqual(await finalState(tandem, straight.id));

  const records = numbersIn(join(tandem.home, 'records', id, 'a1.jsonl'));
  expect(records).toEqual(records.map((_, i) => i + 1));
  const lines = numbersIn(join(tandem.tree(run), 'logs', 'training.log'));
  expect(lines).toEqual([...new Set(lines)].sort((a, b) => a - b));
  expect(lines.length).toBe(numbersIn(join(tandem.tree(straight), 'logs', 'training.log')).length);
});

test('a trainer that ends while the control plane is dead is neither lost nor started again', async () => {
  const { id } = await tandem.post<Run>('/runs', small.sft({ max_steps: 20 }));
  const run = await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 1);
  const pid = pidOf(run, 'trainer');
  await tandem.kill();
  process.kill(pid, 'SIGKILL');
  await sleep(300);
  await tandem.start();
  const after = await tandem.until(id, ended);
  expect(after).toMatchObject({ status: 'failed', reason: 'trainer_killed' });
  expect(after.attempts).toHaveLength(1);
  expect(after.attempts[0]?.roles[0]).toMatchObject({ exit_code: 137, state: 'exited' });
});

test('a run submitted a moment before the control plane dies is run once', async () => {
  const { id } = await tandem.post<Run>('/runs', small.sft({ max_steps: 10 }));
  await tandem.kill();
  await tandem.start();
  const run = await tandem.until(id, ended);
  expect(run, run.message).toMatchObject({ status: 'succeeded' });
  expect(run.attempts).toHaveLength(1);
});

function numbersIn(file: string): number[] {
  return readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { n: number }).n);
}
