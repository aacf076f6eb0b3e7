import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { ResumeCandidate } from '../../services/contracts/agent-operations.ts';
import { readCheckpoint } from '../../services/trainer/checkpoint/read-checkpoint.ts';
import { type TestTask, testAttempt, testSpec, writeTestTask } from '../../services/trainer/test-support/attempt.ts';
import type { TestControlPlane } from '../../services/trainer/test-support/control-plane.ts';
import { type EmbeddedServer, startEmbeddedServer } from '../../services/trainer/test-support/embedded-server.ts';
import {
  type AskedRollouts,
  type InferenceFront,
  startInferenceFront,
} from '../../services/trainer/test-support/inference-front.ts';
import { type Life, live } from '../../services/trainer/test-support/lives.ts';

const TASKS_PER_STEP = 4;
const rollout = { num_rollouts: 6, concurrency: 3, max_new_tokens: 3, temperature: 1 };
const training = { batch_size: TASKS_PER_STEP, max_steps: 3, eval_steps: 0, run_baseline_eval: false };
let root: string;
let task: TestTask;
let server: EmbeddedServer;
let front: InferenceFront;
/** All rollouts that were asked for, in order, and what happens before the server is asked. */
let asked: AskedRollouts[] = [];
let before: () => Promise<void> = async () => {};

beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'tandem-in-flight-'));
  task = await writeTestTask(path.join(root, 'task'), { train: 20, validation: 5, limit: 5 });
  server = await startEmbeddedServer({ model: task.model, adaptersRoot: path.join(root, 'adapters'), directory: root });
  const note = (rollouts: AskedRollouts) => {
    asked.push(rollouts);
    return before();
  };
  front = await startInferenceFront({ server: () => server.url, rollouts: rollout.num_rollouts, before: note });
});
afterAll(async () => {
  front.close();
  await server.kill();
  await rm(root, { recursive: true, force: true, maxRetries: 5 });
});

interface Blow {
  readonly change: Partial<TestControlPlane>;
  readonly exitCode: number;
  /** A stop saves once the rollout was given up; a kill leaves what was saved before, of the step before. */
  readonly save_steps: number;
}

test.each<[string, Blow]>([
  ['stop', { change: { want: 'stop' }, exitCode: 0, save_steps: 100 }],
  ['kill', { change: { failWith: 410 }, exitCode: 70, save_steps: 1 }],
])('a %s in the middle of a rollout leaves the data position where it was, so the prompts in flight are asked again', async (how, blow) => {
  const { first, interrupted } = await interruptedInStepTwo(how, blow);
  expect(first.exitCode).toBe(blow.exitCode);
  // Of step 2 one task was answered and others were on their way, or the blow came at another moment than it is to.
  const inFlight = interrupted.slice(TASKS_PER_STEP);
  expect(inFlight.length).toBeGreaterThan(1);
  const [saved] = first.candidates;
  expect(await positionIn(saved!)).toEqual({ global_step: 1, data_position: { epoch: 0, offset: TASKS_PER_STEP } });

  asked = [];
  const second = await lifeOf(how, blow, first.candidates);
  expect(second.exitCode).toBe(0);
  const again = asked.slice(0, TASKS_PER_STEP);
  expect(again).toEqual(expect.arrayContaining(inFlight));
  // Each task once, none left out: 4 of the first life and 8 of the second are the first 12 of 20.
  const used = [...interrupted.slice(0, TASKS_PER_STEP), ...asked];
  expect(new Set(used.map(({ prompt }) => prompt)).size).toBe(3 * TASKS_PER_STEP);
  expect(used).toHaveLength(3 * TASKS_PER_STEP);
  expect(await positionIn(second.candidates[0]!)).toEqual({
    global_step: 3,
    data_position: { epoch: 0, offset: 3 * TASKS_PER_STEP },
  });
});

/** A first life that the blow meets once what step 1 has to save is saved, one rollout of step 2 is answered, and the next ones wait for their answer. */
async function interruptedInStepTwo(how: string, blow: Blow) {
  asked = [];
  const first = await lifeOf(how, blow, [], (plane) => {
    before = async () => {
      if (asked.length <= TASKS_PER_STEP + 1) return;
      if (blow.save_steps === 1) await vi.waitUntil(() => plane.manifests.length > 0, { timeout: 20_000 });
      Object.assign(plane, blow.change);
      await new Promise(() => {});
    };
  });
  before = async () => {};
  return { first, interrupted: asked };
}

async function lifeOf(
  how: string,
  { save_steps }: Blow,
  resume: readonly ResumeCandidate[],
  during?: (plane: TestControlPlane) => void,
): Promise<Life> {
  const model = { max_seq_length: 64, lora: { r: 4 } };
  const spec = testSpec(task, { method: 'grpo', model, training: { ...training, save_steps }, rollout });
  const attempt = testAttempt({ spec, task, directory: root, attempt: resume.length === 0 ? 1 : 2, resume });
  const names = { run: how === 'stop' ? 'run-test0001' : 'run-test0002', inference_url: front.url };
  return live({ ...attempt, ...names }, path.join(root, how), during);
}

async function positionIn({ directory }: ResumeCandidate) {
  const { trainingState } = await readCheckpoint({ directory: directory! });
  return { global_step: trainingState.global_step, data_position: trainingState.data_position };
}
