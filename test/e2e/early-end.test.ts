import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { finalState } from '../support/final-state.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { ended, startTandem, type Tandem } from '../support/tandem.ts';

let tandem: Tandem;
let small: SmallRuns;

beforeAll(async () => {
  tandem = await startTandem();
  small = await makeSmallRuns(tandem);
});
afterAll(() => tandem?.dispose());

const submit = (spec: object) => tandem.post<Run>('/runs', spec);
const finish = (id: string) => tandem.untilSucceeded(id);
const summaryOf = async (id: string) => {
  const { lines } = await tandem.get<{ lines: { message: string }[] }>(`/runs/${id}/logs?tail=1000`);
  return lines.map(({ message }) => message).find((message) => message.includes('TRAINING SUMMARY')) ?? '';
};

/** Moves the weights too little to change an answer, so nothing improves after the first evaluation. */
const patient = () =>
  small.sft({
    ...{ max_steps: 80, eval_steps: 4, save_steps: 5, early_stopping_patience: 5 },
    ...{ learning_rate: 1e-12, lr_scheduler_type: 'constant', warmup_steps: 0 },
    metric_for_best_model: 'eval/accuracy',
  });

test('a run stops after so many evaluations without improvement, and its summary says so', async () => {
  const { id } = await submit(patient());
  const run = await finish(id);
  expect(run).toMatchObject({
    reason: 'early_stopped',
    message: '5 evaluations without improvement (patience 5)',
    progress: { step: 24, total_steps: 80 },
  });
  expect((await tandem.evaluations(id)).map(({ step }) => step)).toEqual([-1, 4, 8, 12, 16, 20, 24]);
  const summary = await summaryOf(id);
  expect(summary).toContain('  Steps: 24/80\n');
  expect(summary).toContain('  Target accuracy reached: no target set\n');
  expect(summary).toContain('  Stopped early: 5 evaluations without improvement (patience 5)\n');
  const [newest] = await tandem.checkpoints(id);
  expect(newest).toMatchObject({ step: 24, aliases: expect.arrayContaining(['final']) });
});

test('a run that is paused on its way to an early end stops at the same step with the same bytes', async () => {
  const straight = await finish((await submit(patient())).id);
  const { id } = await submit(patient());
  for (const step of [6, 14]) {
    await tandem.until(id, (run) => ended(run) || (run.progress?.step ?? 0) >= step);
    await tandem.post(`/runs/${id}/pause`);
    const paused = await tandem.until(id, ended);
    expect(paused.status, paused.message).toBe('paused');
    await tandem.post(`/runs/${id}/resume`);
  }
  const run = await finish(id);
  expect(run).toMatchObject({ reason: 'early_stopped', progress: { step: straight.progress?.step } });
  expect(await finalState(tandem, id)).toEqual(await finalState(tandem, straight.id));
});

test('a run stops once an evaluation reaches the target accuracy, and its summary says so', async () => {
  const { id } = await submit(small.grpo({ max_steps: 12, eval_steps: 2, target_accuracy: 0 }));
  const run = await finish(id);
  expect(run).toMatchObject({
    reason: 'target_accuracy_reached',
    message: expect.stringMatching(/^accuracy [\d.]+ reached the target 0$/),
    progress: { step: 2, total_steps: 12 },
  });
  const summary = await summaryOf(id);
  expect(summary).toContain('  Target accuracy reached: yes (target 0.00)\n');
  expect(summary).toMatch(/ {2}Stopped early: accuracy [\d.]+ reached the target 0\n/);
});

test('a target that is out of reach lets the run go on to its end, and the summary says no', async () => {
  const { id } = await submit(small.sft({ max_steps: 8, eval_steps: 4, target_accuracy: 1, learning_rate: 1e-12 }));
  const run = await finish(id);
  expect(run).toMatchObject({ reason: 'completed', progress: { step: 8 } });
  const summary = await summaryOf(id);
  expect(summary).toContain('  Target accuracy reached: no (target 1.00)\n');
  expect(summary).not.toContain('Stopped early');
});

test('a target without anything to evaluate is refused before it starts', async () => {
  const spec = small.sft({ target_accuracy: 0.5 });
  await expect(submit({ ...spec, data: { train_data: small.train } })).rejects.toThrow(
    /422.*training\.target_accuracy.*set data\.val_data/s,
  );
});
