import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, pidOf, startTandem, type Tandem } from '../support/tandem.ts';

let tandem: Tandem;
let small: SmallRuns;

beforeAll(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
});
afterAll(() => tandem?.dispose());

const submit = (spec: object) => tandem.post<Run>('/runs', spec);
const finish = (id: string) => tandem.untilSucceeded(id);
/** Past the second save: saving is at most one behind, so the first checkpoint is committed. */
const midway = (run: Run) => (run.progress?.step ?? 0) >= 16 && run.attempts.length === 1;

test('a trainer that is killed is started again by itself, says why, and ends with the same bytes', async () => {
  const { recovery: _, ...spec } = small.sft({ max_steps: 120 });
  const straight = await finish((await submit(spec)).id);
  const { id } = await submit({ ...spec, recovery: { backoff_seconds: 1 } });
  process.kill(pidOf(await tandem.until(id, midway), 'trainer'), 'SIGKILL');

  const waiting = await tandem.until(id, ({ status }) => status === 'queued');
  expect(waiting).toMatchObject({
    reason: 'waiting_to_restart',
    message: expect.stringMatching(/killed by signal 9.*Restart 1 of 3 in 1 s/),
    waiting: { why: expect.stringMatching(/^restarts in \d s after a failure; its slot is kept$/) },
    restarts: { after_failures: 1, attempt: 1, reason: 'trainer_killed', next_at: expect.any(String) },
  });
  const run = await finish(id);
  expect(run.attempts).toMatchObject([{ reason: 'trainer_killed' }, { reason: 'completed' }]);
  expect(run.restarts).toMatchObject({ after_failures: 1, attempt: 1, reason: 'trainer_killed', next_at: null });
  expect(await finalState(tandem, id)).toEqual(await finalState(tandem, straight.id));
});

test('a trainer that hangs is found by its own pace, killed, and started again from its checkpoint', async () => {
  const spec = small.sft({ max_steps: 120 });
  const recovery = { hang_floor_seconds: 4, hang_factor: 2, backoff_seconds: 0 };
  const { id } = await submit({ ...spec, recovery });
  process.kill(pidOf(await tandem.until(id, midway), 'trainer'), 'SIGSTOP');
  const run = await finish(id);
  expect(run.attempts).toMatchObject([
    {
      reason: 'hang',
      message: expect.stringMatching(/no progress for \d+(\.\d)? s while training; its steps usually/),
    },
    { reason: 'completed', resumed_step: expect.any(Number) },
  ]);
  expect(run.attempts[1]?.resumed_step).toBeGreaterThan(0);
});

test('an inference server that hangs is started again within the attempt', async () => {
  const spec = small.grpo({ max_steps: 12 });
  const recovery = { deadlines: { inference_answer: 3 } };
  const inference = { vllm: { timeout: 4 } };
  const { id } = await submit({ ...spec, recovery, inference });
  const stopped = pidOf(await tandem.until(id, (run) => (run.progress?.step ?? 0) >= 2), 'inference');
  process.kill(stopped, 'SIGSTOP');
  const run = await finish(id);
  expect(run.attempts).toHaveLength(1);
  expect(pidOf(run, 'inference')).not.toBe(stopped);
  expect((await tandem.events(id)).map(({ message }) => message).join('\n')).toMatch(
    /SIGKILL sent to the inference server: it has not answered its health check for \d+ s/,
  );
});

test('failures that a new checkpoint lies between do not use the budget up together', async () => {
  const { id } = await submit({
    ...small.sft({ max_steps: 300, save_steps: 3, eval_steps: 0 }),
    recovery: { max_restarts: 1, backoff_seconds: 0 },
  });
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    const run = await tandem.until(id, (run) => {
      const start = run.attempts[attempt - 1]?.resumed_step ?? 0;
      return ended(run) || (run.status === 'running' && (run.progress?.step ?? 0) >= start + 9);
    });
    process.kill(pidOf(run, 'trainer'), 'SIGKILL');
    await tandem.until(id, (run) => ended(run) || run.attempts.length > attempt);
  }
  const run = await tandem.until(id, (run) => ended(run) || run.status === 'running');
  expect(run, run.message).toMatchObject({ status: 'running', restarts: { after_failures: 1, attempt: 3 } });
  await tandem.post(`/runs/${id}/cancel`);
  await tandem.until(id, ended);
});
