import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TrainingState } from '../../services/contracts/checkpoint.ts';
import type { Progress, Run } from '../../services/contracts/run.ts';
import { makeSmallRuns } from '../support/small-runs.ts';
import { ended, pidOf, startTandem, type Tandem } from '../support/tandem.ts';
import { recordsOf } from '../support/what-is-kept.ts';

const TASKS_PER_STEP = 4;
const ROLLOUTS = 4;
const STEPS = 21;
const MAX_STALENESS = 2;
/** One pass over the data in its order: the place of a task is its id. */
const TASKS = STEPS * TASKS_PER_STEP;

let tandem: Tandem;
let spec: object;
/** What `GET /runs/{id}` has shown of the run's progress. */
const shown: Progress[] = [];

beforeAll(async () => {
  tandem = await startTandem();
  const small = await makeSmallRuns(tandem);
  const train_data = join(tandem.directory, 'data', 'tasks.jsonl');
  const tasks = range(0, TASKS).map((id) => ({ id: String(id), prompt: `${10 + id}+7=` }));
  writeFileSync(train_data, tasks.map((task) => `${JSON.stringify(task)}\n`).join(''));
  const training = { max_steps: STEPS, batch_size: TASKS_PER_STEP, learning_rate: 2e-3, eval_steps: 0, save_steps: 3 };
  spec = {
    ...small.grpo({ ...training, run_baseline_eval: false }),
    data: { train_data, shuffle: false },
    // A model that knows nothing draws a digit now and then, so that there is something to learn.
    reward: [{ name: 'regex', pattern: '[0-4]' }],
    rollout: { num_rollouts: ROLLOUTS, concurrency: 8, max_new_tokens: 5, max_staleness: MAX_STALENESS },
  };
});
afterAll(() => tandem?.dispose());

test('an asynchronous run that is killed and paused in its middle goes on with what was in flight, loses and doubles no task, and shows what trainer and rollouts do', async () => {
  const { id } = await tandem.post<Run>('/runs', spec);

  const killed = await untilStep(id, { attempt: 1, step: 5, saved: true });
  process.kill(pidOf(killed, 'trainer'), 'SIGKILL');
  const failed = { status: 'failed', reason: 'trainer_killed', progress: { rollouts: null } };
  expect(await tandem.until(id, ended)).toMatchObject(failed);
  const first = await newestState(id);

  await tandem.post(`/runs/${id}/resume`, { from: 'latest' });
  await untilStep(id, { attempt: 2, step: first.global_step + 4 });
  await tandem.post(`/runs/${id}/pause`);
  expect(await tandem.until(id, ended)).toMatchObject({ status: 'paused', progress: { rollouts: null } });
  const second = await newestState(id);

  await tandem.post(`/runs/${id}/resume`, { overrides: { rollout: { max_staleness: 1 } } });
  await untilStep(id, { attempt: 3, step: second.global_step + 2 });
  const exposition = await (await fetch(`${tandem.url}/metrics`)).text();
  const done = await tandem.untilSucceeded(id);

  expect(done.attempts.map(({ resumed_step }) => resumed_step)).toEqual([null, first.global_step, second.global_step]);
  for (const { engine } of done.attempts) expect(engine).toMatchObject({ name: 'wasm', reason: 'TANDEM_TF=wasm' });
  expect(await newestState(id)).toMatchObject({
    ...{ global_step: STEPS, samples: TASKS * ROLLOUTS, rollouts_ahead: [], data_position: { epoch: 1, offset: 0 } },
  });
  expectTasks(played(id), [first, second]);

  expect(shown).toContainEqual(expect.objectContaining({ phase: 'rollout' }));
  expect(shown.map(({ rollouts }) => rollouts?.state)).toEqual(expect.arrayContaining(['generating', undefined]));
  const reported = [...recordsOf(tandem, id).values()].flat().filter((record) => record.kind === 'progress');
  expect(reported.map(({ phase }) => phase)).toEqual(expect.arrayContaining(['rollout', 'training', 'saving']));

  const steps = range(1, STEPS + 1);
  const series = await seriesOf(id);
  expect(series.get('train/staleness_max')?.steps).toEqual(steps);
  const staleness = series.get('train/staleness_max')!.values;
  expect(Math.max(...staleness)).toBeGreaterThan(0);
  expect(Math.max(...staleness)).toBeLessThanOrEqual(MAX_STALENESS);
  expect(Math.max(...staleness.slice(second.global_step))).toBeLessThanOrEqual(1);
  for (const name of SHOWN) {
    expect(series.get(name)?.steps, name).toEqual(steps);
    expect(exposition).toContain(`tandem_run_metric{run="${id}",metric="${name}"}`);
  }
});

const SHOWN = [
  ...['train/staleness_max', 'train/stale_dropped', 'perf/rollout_wait_time', 'perf/rollout_idle_time'],
  'perf/inference_retries',
];

/** Waits until an attempt has come to a step, and where it is to be resumed has saved. */
async function untilStep(id: string, to: { attempt: number; step: number; saved?: boolean }): Promise<Run> {
  const reached = (run: Run) =>
    run.attempts.length === to.attempt && run.status === 'running' && (run.progress?.step ?? 0) >= to.step;
  let run = await tandem.until(id, (run) => {
    if (run.progress) shown.push(run.progress);
    return ended(run) || reached(run);
  });
  while (to.saved && !ended(run) && (await tandem.checkpoints(id)).length === 0) {
    await sleep(25);
    run = await tandem.run(id);
  }
  expect(run.status, `it ended before step ${to.step}: ${run.message}`).toBe('running');
  return run;
}

const newestState = (id: string) =>
  tandem.get<TrainingState>(`/runs/${id}/checkpoints/latest/files/training_state.json`);

/** Places of the tasks that each attempt has played to their end. */
function played(id: string): number[][] {
  return [...recordsOf(tandem, id).values()].map((records) =>
    records.flatMap((record) => {
      if (record.kind !== 'log' || record.component !== 'rollout') return [];
      return record.fields?.['rollout'] === 1 && / Rollout 1\//.test(record.message)
        ? [Number(record.fields['task'])]
        : [];
    }),
  );
}

/** Tasks that a state has learned from: all that were given out, but for those that are ahead. */
function learned({ global_step: step, rollouts_ahead: ahead = [] }: TrainingState): number[] {
  expect(ahead.length).toBeGreaterThan(0);
  return range(0, step * TASKS_PER_STEP + ahead.length).filter((place) => !ahead.includes(place));
}

/** Each attempt plays, once, what the state that it goes on from has not learned; the last one all of it. */
function expectTasks(attempts: readonly number[][], states: readonly TrainingState[]): void {
  const before = [[], ...states.map(learned)];
  const after = [...states.map(learned), range(0, TASKS)];
  for (const [at, tasks] of attempts.entries()) {
    const fresh = after[at]!.filter((place) => !before[at]!.includes(place));
    expect(new Set(tasks).size, `attempt ${at + 1} played ${tasks}`).toBe(tasks.length);
    expect(tasks.filter((place) => before[at]!.includes(place))).toEqual([]);
    expect(tasks).toEqual(expect.arrayContaining(fresh));
    if (at === states.length) expect(tasks).toHaveLength(fresh.length);
  }
}

async function seriesOf(id: string) {
  type Series = { name: string; steps: number[]; values: number[] };
  const { series } = await tandem.get<{ series: Series[] }>(`/runs/${id}/metrics`);
  return new Map(series.map((each) => [each.name, each]));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
