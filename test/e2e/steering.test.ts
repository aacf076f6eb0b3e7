import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';

/** Pairs of verbs that are tried at each moment, of the sixteen there are. */
const pairsAtOnce = process.env['TANDEM_TEST_FULL'] ? 16 : 3;

let tandem: Tandem;
let small: SmallRuns;
async function open(env: Record<string, string> = {}): Promise<void> {
  tandem = await startTandem(env);
  small = await makeSmallRuns(tandem);
}
afterEach(() => tandem?.dispose());

const submit = (spec: object) => tandem.post<Run>('/runs', spec);
const stepOf = (run: Run) => run.progress?.step ?? 0;
const long = () => small.sft({ max_steps: 400, eval_steps: 0 });
const tell = async (id: string, verb: string) => {
  const remove = verb === 'delete';
  const path = `${tandem.url}/runs/${id}${remove ? '' : `/${verb}`}`;
  const response = await fetch(path, { method: remove ? 'DELETE' : 'POST' });
  const text = await response.text();
  const body = text === '' ? {} : (JSON.parse(text) as { detail?: string; status?: string });
  return { verb, status: response.status, detail: body.detail ?? '' };
};

test('a dozen queued runs start by priority and then age, while some are paused, cancelled and deleted', async () => {
  await open();
  const first = await submit(long());
  await tandem.until(first.id, (run) => stepOf(run) > 0);
  const priorities = [50, 90, 10, 50, 90, 50, 70, 30, 50, 10, 50, 70];
  const queued: { id: string; priority: number }[] = [];
  for (const priority of priorities) {
    const { id } = await submit({ ...small.sft({ max_steps: 1, eval_steps: 0 }), priority });
    queued.push({ id, priority });
  }
  const [paused, cancelled, deleted] = [queued[0]!, queued[4]!, queued[6]!];
  await tandem.post(`/runs/${paused.id}/pause`);
  await tandem.post(`/runs/${cancelled.id}/cancel`);
  await tandem.post(`/runs/${deleted.id}/cancel`);
  expect(await tell(deleted.id, 'delete')).toMatchObject({ status: 204 });
  await tandem.post(`/runs/${first.id}/cancel`);

  const expected = queued
    .filter(({ id }) => ![paused.id, cancelled.id, deleted.id].includes(id))
    .sort((a, b) => b.priority - a.priority)
    .map(({ id }) => id);
  const runs = await Promise.all(expected.map((id) => tandem.until(id, ended, 240)));
  expect(runs.map(({ status }) => status)).toEqual(expected.map(() => 'succeeded'));
  const started = runs.map(({ started_at }) => Date.parse(started_at ?? ''));
  expect(started).toEqual([...started].sort((a, b) => a - b));
  expect(await tandem.run(paused.id)).toMatchObject({ status: 'paused', attempts: [] });
  expect(await tandem.run(cancelled.id)).toMatchObject({ status: 'cancelled', attempts: [] });
});

test('a run that was paused while it waited takes its old place again when it is resumed', async () => {
  await open();
  const busy = await submit(long());
  await tandem.until(busy.id, (run) => stepOf(run) > 0);
  const [early, later] = [await submit(small.sft({ max_steps: 2 })), await submit(small.sft({ max_steps: 2 }))];
  await tandem.post(`/runs/${early.id}/pause`);
  expect(await tandem.run(later.id)).toMatchObject({ waiting: { position: 1 } });
  await tandem.post(`/runs/${early.id}/resume`);
  expect(await tandem.run(early.id)).toMatchObject({ status: 'queued', waiting: { position: 1 } });
  expect(await tandem.run(later.id)).toMatchObject({ waiting: { position: 2 } });
});

test('runs that take turns by being paused end with the bytes of one that was never paused', async () => {
  await open();
  const spec = () => small.sft({ max_steps: 60 });
  const straight = await tandem.until((await submit(spec())).id, ended);
  const [one, two] = [await submit(spec()), await submit(spec())];
  let running = one;
  let resting = two;
  for (let turn = 1; turn <= 3; turn += 1) {
    await tandem.until(running.id, (run) => ended(run) || stepOf(run) >= turn * 12);
    await tandem.post(`/runs/${running.id}/pause`);
    const paused = await tandem.until(running.id, ended);
    expect(paused.status, paused.message).toBe('paused');
    // The slot is free, so the other one starts at once.
    await tandem.until(resting.id, ({ status }) => status !== 'queued');
    await tandem.post(`/runs/${running.id}/resume`);
    [running, resting] = [resting, running];
  }
  for (const { id } of [one, two]) {
    const run = await tandem.until(id, ended);
    expect(run, run.message).toMatchObject({ status: 'succeeded' });
    expect(await finalState(tandem, id)).toEqual(await finalState(tandem, straight.id));
  }
});

test('a cancelled run has saved where it stopped, and can be resumed from there', async () => {
  await open();
  const { id } = await submit(long());
  await tandem.until(id, (run) => stepOf(run) >= 10);
  await tandem.post(`/runs/${id}/cancel`);
  const run = await tandem.until(id, ended);
  const [newest] = await tandem.checkpoints(id);
  expect(run).toMatchObject({ status: 'cancelled', progress: { step: newest?.step } });
  expect(run.message).toBe(`Cancelled; checkpoint-${newest?.step} is where a resume starts by default.`);
  await tandem.post(`/runs/${id}/resume`);
  const resumed = await tandem.until(id, (run) => stepOf(run) > (newest?.step ?? 0));
  expect(resumed.attempts.at(-1)).toMatchObject({ resumed_step: newest?.step });
});

test('a pause that is asked for a moment before the control plane dies is carried out by the next one', async () => {
  await open();
  const { id } = await submit(long());
  await tandem.until(id, (run) => stepOf(run) >= 5);
  await tandem.post(`/runs/${id}/pause`);
  await tandem.kill();
  await sleep(500);
  await tandem.start();
  const run = await tandem.until(id, ended);
  expect(run).toMatchObject({ status: 'paused', reason: 'paused' });
  expect((await tandem.checkpoints(id))[0]?.step).toBe(run.progress?.step);
});

/** What a run is doing when two verbs meet it. */
const moments: Record<string, { spec: () => object; reached: (run: Run) => boolean; kill?: boolean }> = {
  queued: { spec: long, reached: () => true },
  starting: { spec: long, reached: ({ status }) => status === 'starting' },
  running: { spec: long, reached: (run) => stepOf(run) >= 3 },
  saving: {
    spec: () => small.sft({ max_steps: 4000, eval_steps: 0, save_steps: 1 }),
    reached: (run) => run.progress?.phase === 'saving' || stepOf(run) > 5,
  },
  'waiting to restart': {
    spec: () => ({ ...long(), recovery: { backoff_seconds: 3 } }),
    reached: ({ reason }) => reason === 'waiting_to_restart',
    kill: true,
  },
  stopping: { spec: long, reached: ({ status }) => status === 'stopping' },
};
const verbs = ['pause', 'cancel', 'resume', 'delete'];

test('verbs that meet at any moment are answered 2xx or with a clear 409, and the run ends as the answers say', async () => {
  await open({ TANDEM_SLOTS: '2' });
  const pairs = verbs.flatMap((one) => verbs.map((other) => [one, other] as const));
  for (const [moment, { spec, reached, kill }] of Object.entries(moments)) {
    const chosen = pairs.filter(
      (_, i) => (i + Object.keys(moments).indexOf(moment)) % Math.ceil(16 / pairsAtOnce) === 0,
    );
    for (const pair of chosen) {
      const where = `${pair.join(' and ')} while ${moment}`;
      const { id } = await submit(spec());
      if (kill) {
        const run = await tandem.until(id, (run) => run.attempts[0]?.roles[0]?.pid != null);
        process.kill(run.attempts[0]!.roles[0]!.pid!, 'SIGKILL');
      }
      if (moment === 'stopping') {
        await tandem.until(id, (run) => stepOf(run) >= 1);
        await tandem.post(`/runs/${id}/pause`);
      } else await tandem.until(id, reached);
      const answers = await Promise.all(pair.map((verb) => tell(id, verb)));
      for (const { verb, status, detail } of answers) {
        const allowed = verb === 'delete' ? [204, 409] : [200, 202, 409];
        expect(allowed, `${where}: ${verb} answered ${status} ${detail}`).toContain(status);
        if (status === 409) expect(detail, where).toMatch(new RegExp(`^(The last programs of )?${id} (is|are|has) .*`));
      }
      await settle(id, answers, where);
    }
  }
});

/** Waits for what the answers promise, then brings the run to its end. */
async function settle(id: string, answers: { verb: string; status: number }[], where: string): Promise<void> {
  const accepted = answers.filter(({ status }) => status < 300).map(({ verb }) => verb);
  if (accepted.includes('delete')) return;
  const goesOn = accepted.includes('resume') || accepted.length === 0;
  if (!goesOn) {
    const run = await tandem.until(id, ended);
    expect(run.status, where).toBe(accepted.includes('cancel') ? 'cancelled' : 'paused');
  }
  if ((await tandem.run(id)).status !== 'cancelled') await tell(id, 'cancel');
  const run = await tandem.until(id, ({ status }) => status === 'cancelled' || status === 'paused');
  if (run.status === 'paused') await tell(id, 'cancel');
  expect(await tandem.run(id), where).toMatchObject({ status: 'cancelled' });
  expect((await tandem.run(id)).attempts.every(({ ended_at }) => ended_at !== null)).toBe(true);
}

test('a run that others start from is not deleted, and says which they are', async () => {
  await open();
  const parent = await submit(small.sft({ max_steps: 4, save_steps: 2, eval_steps: 0 }));
  await tandem.until(parent.id, ended);
  const busy = await submit(long());
  await tandem.until(busy.id, (run) => stepOf(run) > 0);
  const fork = await tandem.post<Run>(`/runs/${parent.id}/resume`, {
    ...{ from: 'checkpoint-2', fork: true },
    overrides: { training: { max_steps: 6 } },
  });
  const user = await submit({ ...small.sft(), model: { ...small.sft().model, name: `runs/${parent.id}/final` } });
  const refused = await tell(parent.id, 'delete');
  expect(refused).toMatchObject({ status: 409, detail: expect.stringContaining(fork.id) });
  expect(refused.detail).toContain(user.id);
  for (const id of [fork.id, user.id]) {
    await tandem.post(`/runs/${id}/cancel`);
    expect(await tell(id, 'delete')).toMatchObject({ status: 204 });
  }
  expect(await tell(parent.id, 'delete')).toMatchObject({ status: 204 });
  expect(await tell(parent.id, 'delete')).toMatchObject({ status: 404 });
});
