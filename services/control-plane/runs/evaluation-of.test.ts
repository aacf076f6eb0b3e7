import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { evaluationRequestSchema } from '../../contracts/evaluation-operations.ts';
import type { Database } from '../../platform/database.ts';
import { ProblemError } from '../api/problem-error.ts';
import { createTestBench, type TestBench } from '../testing.ts';
import type { Wiring } from '../wiring.ts';
import { trainedRun } from './trained-run.fixture.ts';

let bench: TestBench;
let wiring: Wiring & { db: Database };

beforeAll(async () => {
  bench = await createTestBench();
  wiring = await bench.open();
});
afterEach(() => {
  // Nothing is left that would start in the next test.
  for (const { id } of wiring.service.list({ status: 'queued', limit: 100 }).runs) wiring.service.cancel(id);
});
afterAll(() => bench.remove());

const evaluate = async (request: object) => (await wiring.service.evaluate(requestOf(request), () => undefined)).body;
const requestOf = (request: object) => evaluationRequestSchema.parse({ data: 'train.jsonl', ...request });
const refusalOf = async (work: Promise<unknown>): Promise<ProblemError> => {
  const error = await work.catch((reason: unknown) => reason);
  if (!(error instanceof ProblemError)) throw new Error(`not refused with a problem: ${String(error)}`);
  return error;
};

const trained = (change: Record<string, unknown> = {}) => trainedRun(bench, wiring, change);

it('takes from the run that saved the checkpoint what an evaluation uses, and nothing of its training', async () => {
  const id = await trained({
    method: 'grpo',
    labels: { team: 'a' },
    seed: 7,
    model: { name: 'model', lora: { r: 4 } },
    rollout: { max_new_tokens: 8 },
    reward: [{ name: 'numeric' }],
    training: { learning_rate: 1, save_steps: 3 },
    logging: { log_file: 'outputs/mine.log' },
  });
  const run = await evaluate({ checkpoint: `runs/${id}`, name: 'after', priority: 90 });
  expect(run).toMatchObject({
    task: 'evaluate',
    method: 'grpo',
    name: 'after',
    priority: 90,
    labels: { team: 'a' },
    parent: `${id}/checkpoint-4`,
    warnings: [],
    spec: {
      seed: 7,
      model: { name: 'model', lora: { r: 4 } },
      rollout: { max_new_tokens: 8 },
      reward: [{ name: 'numeric' }],
      checkpoint: { resume_from_checkpoint: `runs/${id}/a1/checkpoint-4` },
      data: { train_data: null, val_data: 'train.jsonl' },
      training: { learning_rate: 1e-5, save_steps: 100 },
      logging: { log_file: null },
    },
  });
});

it('lays overrides over that, and warns of those that mean nothing to it', async () => {
  const id = await trained();
  const overrides = { max_new_tokens: 9, training: { max_steps: 3 } };
  const run = await evaluate({ checkpoint: `runs/${id}/latest`, method: 'grpo', max_eval_samples: 2, overrides });
  expect(run.spec).toMatchObject({ rollout: { max_new_tokens: 9 }, training: { max_eval_samples: 2 } });
  expect(run.warnings).toEqual(['task: evaluate trains nothing, so these have no effect: training.max_steps']);
});

it('evaluates a model as it is, without a parent', async () => {
  expect(await evaluate({ model: 'model', method: 'sft' })).toMatchObject({ parent: null, method: 'sft' });
});

it.each([
  [{}, 'checkpoint: is missing; give a checkpoint such as runs/<id>/best, or a model'],
  [{ checkpoint: 'runs/run-aaaaaaaa', model: 'm' }, 'model: is given beside checkpoint; give one of them'],
  [
    { model: 'runs/run-aaaaaaaa/best' },
    'model: runs/run-aaaaaaaa/best is what a run has trained; give it as checkpoint',
  ],
  [{ model: 'model', overrides: { val_data: 'x' } }, 'overrides.data.val_data: cannot be overridden; give data'],
  [{ model: 'model', overrides: { task: 'train' } }, 'overrides.task: cannot be overridden; it is evaluate'],
  [{ model: 'model', overrides: { rolout: {} } }, 'rolout: unknown key; did you mean rollout?'],
  [{ model: 'model', data: 'no.jsonl' }, expect.stringContaining('data.val_data: ')],
  [{ checkpoint: 'runs/run-aaaaaaaa' }, 'There is no run run-aaaaaaaa; GET /runs lists those there are.'],
  [{ checkpoint: 'outputs/none' }, expect.stringContaining('neither runs/<id>/<checkpoint> nor a checkpoint')],
])('refuses %j and says why', async (request, message) => {
  expect((await refusalOf(evaluate(request))).message).toEqual(message);
});

it('keeps the checkpoint and its run until it has ended, and no longer', async () => {
  const id = await trained();
  const { id: evaluation } = await evaluate({ checkpoint: `runs/${id}/checkpoint-4` });
  expect((await refusalOf(wiring.service.remove(id))).message).toContain(evaluation);
  wiring.service.cancel(evaluation);
  expect(wiring.service.get(evaluation).status).toBe('cancelled');
  await wiring.service.remove(id);
  expect((await refusalOf(resume(evaluation))).message).toContain('has just been deleted');
});

it('is started again from the same checkpoint, never forked or started from another', async () => {
  const id = await trained();
  const { id: evaluation } = await evaluate({ checkpoint: `runs/${id}/checkpoint-4` });
  wiring.service.cancel(evaluation);
  expect((await refusalOf(resume(evaluation, { fork: true }))).type).toBe('conflict');
  expect((await refusalOf(resume(evaluation, { from: 'best' }))).type).toBe('conflict');
  expect((await refusalOf(resume(evaluation, { overrides: { task: 'train' } }))).type).toBe('invalid-spec');
  const { body } = await resume(evaluation);
  expect(body).toMatchObject({ status: 'queued', parent: `${id}/checkpoint-4` });
});

const resume = (id: string, request: object = {}) =>
  wiring.service.resume(id, { from: 'latest', overrides: {}, fork: false, ...request }, () => undefined);
