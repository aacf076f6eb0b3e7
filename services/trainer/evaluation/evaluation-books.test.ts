import { expect, test } from 'vitest';
import { trainingStateSchema } from '../../contracts/checkpoint.ts';
import { resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import type { Session } from '../session.ts';
import { createEvaluationBooks, type EvaluationResult, type PassRate, takeEvaluation } from './evaluation-books.ts';

const result: EvaluationResult = {
  ...{ accuracy: 0.5, correct_answers: 4, total_samples: 8, avg_reward: 0.5, median_reward: 0.5, std_reward: 0.5 },
  ...{ min_reward: 0, max_reward: 1 },
};
const resolved = resolveRunSpec({ model: { name: 'm' }, method: 'grpo', data: { train_data: 'a.jsonl' } });
if (!resolved.ok) throw new Error('invalid');
const { spec } = resolved;

/** A session of which evaluations see no more than this. */
function sessionOf(said: string[], records: unknown[]): Session {
  const log = { info: (text: string) => void said.push(text), warning: (text: string) => void said.push(text) };
  return {
    attempt: { output_dir: 'outputs/x', baseline: null },
    spec,
    control: { stopping: new AbortController().signal },
    records: { append: (bodies: unknown[]) => void records.push(...bodies) },
    logs: { eval: log, training: log },
    now: () => 0,
    wall: () => 0,
  } as unknown as Session;
}

function booksAt(step: number, passRate: PassRate, fields: Record<string, unknown> = {}) {
  const said: string[] = [];
  const metrics: Record<string, number>[] = [];
  const state = trainingStateSchema.parse({ global_step: step, ...fields });
  const books = createEvaluationBooks({
    ...{ session: sessionOf(said, []), state, totalSteps: 100, evaluator: null, passRate, recorded: new Map() },
    record: (values) => void metrics.push({ ...values }),
    onStart: () => undefined,
  });
  return { books, state, metrics, said };
}

test('a pass rate is told with whose problems it is of, and once for a step, also after a resume from there', async () => {
  const { books, state, metrics, said } = booksAt(25, { evaluate: async () => result, generated: true });
  await books.evaluateIfDue();
  await books.evaluateIfDue();
  expect(metrics).toEqual([{ eval_avg_test_pass_rate: 0.5, eval_problems_generated: 1, 'inference/step': 25 }]);
  expect(said).toEqual([
    'Pass rate | eval_avg_test_pass_rate=0.50 | 4/8 problems of the training set, since data.val_data is not set',
  ]);
  const resumed = booksAt(25, { evaluate: async () => result, generated: true }, JSON.parse(JSON.stringify(state)));
  await resumed.books.evaluateIfDue();
  expect(resumed.metrics).toEqual([]);
});

test('a pass rate that was interrupted is still due', async () => {
  let tries = 0;
  const evaluate = async () => {
    tries += 1;
    if (tries === 1) throw new Error('stopped');
    return result;
  };
  const { books, metrics } = booksAt(50, { evaluate, generated: false });
  await expect(books.evaluateIfDue()).rejects.toThrow('stopped');
  await books.evaluateIfDue();
  expect(metrics).toMatchObject([{ eval_avg_test_pass_rate: 0.5, eval_problems_generated: 0 }]);
});

test('an evaluation that found no numbers is the end of training, and no record that nobody can read', async () => {
  const records: unknown[] = [];
  const session = sessionOf([], records);
  const finding = (change: Partial<EvaluationResult>) => ({ evaluate: async () => ({ ...result, ...change }) });
  await expect(takeEvaluation(session, finding({ eval_loss: Number.NaN }), 10)).rejects.toThrow(
    'Training diverged: eval_loss is NaN in the evaluation at step 10.',
  );
  await expect(takeEvaluation(session, finding({ avg_reward: Number.POSITIVE_INFINITY }), -1)).rejects.toThrow(
    'avg_reward is Infinity in the evaluation, before the first update',
  );
  expect(records).toEqual([]);
});
