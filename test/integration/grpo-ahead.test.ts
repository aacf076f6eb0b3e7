import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ResumeCandidate } from '../../services/contracts/agent-operations.ts';
import { readCheckpoint } from '../../services/trainer/checkpoint/read-checkpoint.ts';
import { taskSeed } from '../../services/trainer/rollout/collect-rollouts.ts';
import { type TestTask, testAttempt, testSpec } from '../../services/trainer/test-support/attempt.ts';
import { type EmbeddedServer, startEmbeddedServer } from '../../services/trainer/test-support/embedded-server.ts';
import { writeImitatedTask } from '../../services/trainer/test-support/imitated-task.ts';
import {
  type AskedRollouts,
  type InferenceFront,
  startInferenceFront,
} from '../../services/trainer/test-support/inference-front.ts';
import {
  fence,
  type Interruption,
  type Life,
  live,
  messages,
  stopAt,
} from '../../services/trainer/test-support/lives.ts';
import { expectDocumentedMetrics } from '../../services/trainer/test-support/metric-names.ts';

const TASKS_PER_STEP = 4;
const STEPS = 10;
const rollout = { num_rollouts: 6, concurrency: 8, max_new_tokens: 3, temperature: 1, max_staleness: 2 };
const model = { max_seq_length: 64, use_lora: true, lora: { r: 4, alpha: 8 } };
const training = {
  ...{ batch_size: TASKS_PER_STEP, max_steps: STEPS, learning_rate: 3e-3 },
  ...{ eval_steps: 5, save_steps: 1, save_total_limit: 20, max_eval_samples: 5 },
};
let root: string;
let task: TestTask;
let server: EmbeddedServer;
let front: InferenceFront;
let asked: AskedRollouts[] = [];

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-ahead-'));
  task = await writeImitatedTask(root, { train: 20, validation: 5 });
  server = await start();
  front = await startInferenceFront({
    server: () => server.url,
    rollouts: rollout.num_rollouts,
    // Skewed: every fifth task takes as long as several steps.
    before: async (rollouts) => {
      asked.push(rollouts);
      await sleep(asked.length % 5 === 0 ? 400 : 10);
    },
  });
});
afterAll(async () => {
  front.close();
  await server.kill();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});
beforeEach(() => {
  asked = [];
});

const start = () =>
  startEmbeddedServer({
    model: task.model,
    adaptersRoot: path.join(root, 'run', 'adapters'),
    directory: root,
    maxLoras: 4,
  });

interface Given {
  readonly number: number;
  readonly resume?: readonly ResumeCandidate[];
  readonly staleness?: number;
  readonly during?: Interruption;
}

function run({ number, resume = [], staleness = 2, during }: Given): Promise<Life> {
  const spec = testSpec(task, { method: 'grpo', model, training, rollout: { ...rollout, max_staleness: staleness } });
  const given = { spec, task, directory: path.join(root, 'run'), inferenceUrl: front.url };
  return live(testAttempt({ ...given, attempt: number, resume }), path.join(root, `life-${number}`), during);
}

function metric(life: Life, name: string): number[] {
  return life.records.flatMap((record) =>
    record.kind === 'metrics' && name in record.values ? [Number(record.values[name])] : [],
  );
}

async function stateOf(candidate: ResumeCandidate) {
  const { trainingState } = await readCheckpoint({ directory: candidate.directory! });
  return trainingState;
}

/** Of the task at a place in the data, counted on over epochs. */
const seedOf = (place: number) => taskSeed(42, ['rollout-ahead'], place);
/** The place that was asked for; -1 for one that a step waited for. */
const placeOf = ({ seed }: AskedRollouts) => range(0, 60).findIndex((place) => seedOf(place) === seed);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

test('rollouts go on while the policy is trained, none is too old, and each task is asked for once', async () => {
  const life = await run({ number: 1 });
  expect(life.errors).toEqual([]);
  expect(life.exitCode).toBe(0);
  expectDocumentedMetrics(life.records, 'grpo');
  const stalest = metric(life, 'train/staleness_max');
  expect(stalest).toHaveLength(STEPS);
  expect(Math.max(...stalest)).toBeGreaterThan(0);
  expect(Math.max(...stalest)).toBeLessThanOrEqual(2);
  expect(Math.max(...metric(life, 'train/stale_dropped'))).toBe(0);
  expect(asked.map(placeOf).toSorted((a, b) => a - b)).toEqual(range(0, STEPS * TASKS_PER_STEP));
  expect(life.manifests.at(-1)!.policy_version).toBeGreaterThan(3);
  const final = await stateOf(life.candidates[0]!);
  expect(final).toMatchObject({ data_position: { epoch: 2, offset: 0 }, rollouts_ahead: [], samples: 240 });
  // What was sampled by an older policy is weighted against the one that learns.
  expect(Math.max(...metric(life, 'train/mismatch_abs'))).toBeGreaterThan(0);
  const states = life.records.flatMap((record) => (record.kind === 'progress' ? [record.rollouts?.state] : []));
  expect(states).toContain('generating');
  expect(states).toContain('waiting_for_trainer');
  expect(messages(life)).toContainEqual(
    expect.stringMatching(/^Rollouts: waiting for trainer \| in_flight=0 \| buffered=\d+$/),
  );
  expect(messages(life)).toContainEqual(expect.stringMatching(/^Waited for rollouts \| time=\d/));
});

/** Goes on from an end of a run in the middle, and holds what is asked for then against what had been learned. */
async function resumed(first: Life, given: Given): Promise<Life> {
  const { global_step: step, rollouts_ahead: ahead = [] } = await stateOf(first.candidates[0]!);
  expect(ahead.length).toBeGreaterThan(0);
  asked = [];
  const second = await run({ ...given, resume: first.candidates });
  expect(second.errors).toEqual([]);
  expect(second.exitCode).toBe(0);
  const atFirst = asked.slice(0, Math.min(ahead.length, TASKS_PER_STEP)).map(placeOf);
  expect(atFirst.filter((place) => !ahead.includes(place))).toEqual([]);
  // What was learned before is all that is neither ahead nor after what was given out.
  const left = [...ahead, ...range(step * TASKS_PER_STEP + ahead.length, STEPS * TASKS_PER_STEP)];
  expect(asked).toHaveLength(left.length);
  // Steps that wait for their rollouts have seeds of their own, and come last.
  const places = asked.map(placeOf).filter((place) => place >= 0);
  expect(places.length).toBeGreaterThanOrEqual(given.staleness === 0 ? ahead.length : left.length);
  expect(places.toSorted((a, b) => a - b)).toEqual(left.slice(0, places.length));
  expect(await stateOf(second.candidates[0]!)).toMatchObject({
    data_position: { epoch: 2, offset: 0 },
    rollouts_ahead: [],
  });
  return second;
}

test('after a stop the prompts in flight are asked for first and again, and no task is lost or learned twice', async () => {
  const first = await run({ number: 11, during: stopAt(4) });
  expect(first.exitCode).toBe(0);
  const second = await resumed(first, { number: 12 });
  expect(Math.max(...metric(second, 'train/staleness_max'))).toBeLessThanOrEqual(2);
});

test('after a kill too, and the bound may be another in each life', async () => {
  const waiting = await run({ number: 21, staleness: 0, during: stopAt(2) });
  expect(await stateOf(waiting.candidates[0]!)).not.toHaveProperty('rollouts_ahead');
  asked = [];
  const first = await run({ number: 22, resume: waiting.candidates, during: fence(5) });
  expect(first.exitCode).toBe(70);
  const second = await resumed(first, { number: 23, staleness: 0 });
  expect(Math.max(...metric(second, 'train/staleness'))).toBe(0);
});

test('a server that dies under rollouts in flight is waited for, which the progress says, and the bound holds', async () => {
  const life = await run({
    number: 41,
    during: (plane) => {
      let killed = false;
      plane.onRecord((record) => {
        if (killed || record.kind !== 'metrics' || record.step !== 3) return;
        killed = true;
        void server.kill().then(async () => {
          await sleep(1500);
          server = await start();
        });
      });
    },
  });
  expect(life.errors).toEqual([]);
  expect(life.exitCode).toBe(0);
  expect(Math.max(...metric(life, 'train/staleness_max'))).toBeLessThanOrEqual(2);
  expect(messages(life)).toContainEqual(expect.stringMatching(/^Rollouts: waiting for server/));
  expectDocumentedMetrics(life.records, 'grpo');
  expect(Math.max(...metric(life, 'perf/inference_retries'))).toBeGreaterThan(0);
  expect(Math.max(...metric(life, 'perf/inference_retries_unreachable'))).toBeGreaterThan(0);
  expect(await stateOf(life.candidates[0]!)).toMatchObject({ samples: 240, rollouts_ahead: [] });
});
