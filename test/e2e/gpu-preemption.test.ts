import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { GpuInventory } from '../../services/contracts/gpu.ts';
import type { QueueView } from '../../services/contracts/queue.ts';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';

let directory: string;
let tandem: Tandem;
let small: SmallRuns;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'tandem-gpus-'));
  writeFileSync(join(directory, 'one.yaml'), 'gpus:\n  - {uuid: GPU-0, memory_mib: 81559}\n');
  tandem = await startTandem({
    TANDEM_GPUS: join(directory, 'one.yaml'),
    TANDEM_PREEMPT_AFTER: '0',
    // Nobody is preempted who ends within that time anyway.
    TANDEM_STOP_DEADLINE: '5',
  });
  small = await makeSmallRuns(tandem);
});
afterEach(async () => {
  await tandem?.dispose();
  rmSync(directory, { recursive: true });
});

const get = async <T>(path: string) => (await (await fetch(`${tandem.url}${path}`)).json()) as T;
const submit = (spec: object) => tandem.post<Run>('/runs', { ...spec, gpu_profile: 'shared-1' });
const long = () => small.sft({ max_steps: 300, eval_steps: 100 });
const stepOf = (run: Run) => run.progress?.step ?? 0;

test('a run that is preempted saves, lets the other one pass, goes on by itself, and ends with the bytes of one that never was', async () => {
  const straight = await tandem.until((await submit(long())).id, ended);
  const humble = await submit({ ...long(), priority: 10 });
  await tandem.until(humble.id, (run) => stepOf(run) > 10);
  const urgent = await submit({ ...small.sft({ max_steps: 2 }), priority: 90 });
  const asked = await tandem.until(humble.id, (run) => run.reason === 'preempted');
  expect(asked).toMatchObject({ message: expect.stringContaining(urgent.id) });
  const { gpus } = await get<GpuInventory>('/gpus');
  expect(gpus[0]).toMatchObject({ usable: true, lease: { attempt: 1, role: 'trainer', state: 'held' } });

  await tandem.until(humble.id, (run) => run.status === 'queued');
  const queue = await get<QueueView>('/queue');
  expect(queue.waiting.map(({ run }) => run)).toContain(humble.id);
  expect(await tandem.until(urgent.id, ended)).toMatchObject({ status: 'succeeded' });
  const done = await tandem.until(humble.id, ended);
  expect(done).toMatchObject({
    status: 'succeeded',
    // Not even one restart after a failure would have been allowed.
    restarts: { after_failures: 0, after_errors: 0 },
    attempts: [{ reason: 'preempted' }, { resumed_step: expect.any(Number) }],
  });
  expect(done.attempts).toHaveLength(2);
  expect(Date.parse(done.attempts[1]?.started_at as string)).toBeGreaterThan(
    Date.parse((await tandem.run(urgent.id)).ended_at as string),
  );
  expect(await finalState(tandem, done.id)).toEqual(await finalState(tandem, straight.id));
});
