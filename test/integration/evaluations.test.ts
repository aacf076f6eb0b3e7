import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { pidOf, startTandem, type Tandem } from '../support/tandem.ts';

/* What comes after training, with real programs: a stored checkpoint is measured on a data set by a run of its own. */

let tandem: Tandem;
let small: SmallRuns;
let sft: Run;
let grpo: Run;

const lora = { max_seq_length: 64, lora: { r: 4, alpha: 8 } };
const evaluate = (request: object) => tandem.post<Run>('/evaluations', { data: small.val, ...request });
const evaluated = async (request: object) => {
  const run = await tandem.untilSucceeded((await evaluate(request)).id);
  return { run, found: await tandem.evaluations(run.id) };
};
/** What a training run measured itself at a step. */
const ofTraining = async (run: Run, step: number) => {
  const found = (await tandem.evaluations(run.id)).find((each) => each.step === step);
  if (found === undefined) throw new Error(`${run.id} has no evaluation at step ${step}`);
  return found;
};
const withoutTime = ({ eval_time: _, ...rest }: { eval_time: number }) => rest;

beforeAll(async () => {
  tandem = await startTandem({ TANDEM_SLOTS: '2' });
  small = await makeSmallRuns(tandem);
  const submit = async (spec: object) => (await tandem.post<Run>('/runs', spec)).id;
  const spec = small.sft({ max_steps: 12, eval_steps: 6, save_steps: 6, run_baseline_eval: true });
  const ids = [
    await submit({ ...spec, model: { name: small.model, ...lora }, labels: { team: 'agents' } }),
    await submit(small.grpo({ max_steps: 4, eval_steps: 2, save_steps: 2, run_baseline_eval: true })),
  ] as const;
  sft = await tandem.untilSucceeded(ids[0]);
  grpo = await tandem.untilSucceeded(ids[1]);
});
afterAll(() => tandem?.dispose());

test('a checkpoint gets from an evaluation what its own run measured there, in the places where evaluations are', async () => {
  const { run, found } = await evaluated({ checkpoint: `runs/${sft.id}/checkpoint-6`, name: 'after' });
  expect(found.map(withoutTime)).toEqual([withoutTime(await ofTraining(sft, 6))]);
  expect(run).toMatchObject({
    name: 'after',
    task: 'evaluate',
    method: 'sft',
    parent: `${sft.id}/checkpoint-6`,
    labels: { team: 'agents' },
    latest_evaluation: { step: 6, is_baseline: false },
    progress: { evaluated: { done: 16, total: 16 } },
    warnings: [],
  });
  expect(run.message).toMatch(
    new RegExp(`^Evaluated ${sft.id}/a1/checkpoint-6 on val.jsonl: accuracy 0\\.\\d{4} \\(\\d+/16\\)$`),
  );
  expect(run.attempts[0]?.roles.map(({ role }) => role)).toEqual(['trainer']);
  expect(readdirSync(tandem.tree(run)).sort()).toEqual(['.tandem-run.json', 'eval_logs', 'logs']);
  expect(JSON.parse(readFileSync(join(tandem.tree(run), 'eval_logs/eval_step_0006.json'), 'utf8'))).toMatchObject({
    step: 6,
    total_samples: 16,
  });
  expect(readFileSync(join(tandem.tree(run), 'logs/training.log'), 'utf8')).toContain(
    `EVALUATION of ${sft.id}/a1/checkpoint-6`,
  );
  expect(await tandem.checkpoints(run.id)).toEqual([]);
  const { series } = await tandem.get<{ series: { name: string }[] }>(`/runs/${run.id}/metrics?names=eval_loss`);
  expect(series.map(({ name }) => name)).toEqual(['eval_loss']);
});

test('the model that a run started from gets what the baseline of that run measured', async () => {
  const { run, found } = await evaluated({ model: small.model, method: 'sft', overrides: { model: lora } });
  expect(run).toMatchObject({ parent: null, task: 'evaluate' });
  const { timestamp: _, ...baseline } = withoutTime(await ofTraining(sft, -1)) as Record<string, unknown>;
  expect(found.map(withoutTime)).toEqual([{ ...baseline, step: 0, is_baseline: false }]);
});

test('what was trained on weights in 4 bits is measured on them, and in full precision by the run that says so', async () => {
  const { id } = await tandem.post<Run>('/runs', {
    ...small.sft({ max_steps: 4, eval_steps: 4, save_steps: 4 }),
    model: { name: small.model, use_4bit: true, ...lora },
  });
  const qlora = await tandem.untilSucceeded(id);
  const { run, found } = await evaluated({ checkpoint: `runs/${id}/final` });
  expect(run.spec.model.use_4bit).toBe(true);
  expect(found.map(withoutTime)).toEqual([withoutTime(await ofTraining(qlora, 4))]);
  const exact = await evaluated({ checkpoint: `runs/${id}/final`, overrides: { model: { use_4bit: false } } });
  // Weights of so small a model lose much of their precision in 4 bits.
  expect(exact.found[0]?.eval_loss).toBeCloseTo(found[0]?.eval_loss ?? Number.NaN, 0);
  expect(exact.found[0]?.eval_loss).not.toBe(found[0]?.eval_loss);
});

test('a GRPO checkpoint is played greedily through the inference server that is started for it', async () => {
  const { run, found } = await evaluated({ checkpoint: `runs/${grpo.id}/checkpoint-4` });
  expect(found.map(withoutTime)).toEqual([withoutTime(await ofTraining(grpo, 4))]);
  expect(run.attempts[0]?.roles.map(({ role }) => role)).toEqual(['inference', 'trainer']);
});

test('preferences are measured against what the run started from, as DPO does it', async () => {
  const { id } = await tandem.post<Run>('/runs', small.dpo({ max_steps: 4, eval_steps: 4, save_steps: 4 }));
  const dpo = await tandem.untilSucceeded(id);
  const { found } = await evaluated({ checkpoint: `runs/${id}/final`, data: dpo.spec.data.val_data });
  expect(found.map(withoutTime)).toEqual([withoutTime(await ofTraining(dpo, 4))]);
  expect(found[0]?.reward_margin).not.toBe(0);
});

test('what was trained by SFT can be measured by rewards', async () => {
  const { found } = await evaluated({
    checkpoint: `runs/${sft.id}/final`,
    method: 'grpo',
    max_eval_samples: 5,
    overrides: { reward: [{ name: 'numeric' }], rollout: { max_new_tokens: 4 } },
  });
  expect(found).toEqual([expect.objectContaining({ step: 12, total_samples: 5, avg_turns: 1 })]);
});

test('an evaluation that is killed half-way is done again and counts once, and its checkpoint stays until it has ended', async () => {
  // A reward that counts for nothing makes it long enough to be met half-way.
  const slow = 'export const slow = (texts) => new Promise((done) => setTimeout(done, 500, texts.map(() => 0)));';
  writeFileSync(join(tandem.directory, 'slow.mjs'), slow);
  const { id } = await evaluate({
    checkpoint: `runs/${grpo.id}/checkpoint-2`,
    overrides: {
      reward: [...grpo.spec.reward, { name: 'function', function: 'slow.mjs:slow', weight: 0 }],
      rollout: { concurrency: 1 },
      recovery: { max_restarts: 2, backoff_seconds: 0 },
    },
  });
  const half = await tandem.until(id, ({ progress }) => (progress?.evaluated?.done ?? 0) > 0);
  process.kill(pidOf(half, 'trainer'), 'SIGKILL');
  const busy = await fetch(`${tandem.url}/runs/${grpo.id}/checkpoints/checkpoint-2`, { method: 'DELETE' });
  expect([busy.status, await busy.text()]).toEqual([409, expect.stringContaining(id)]);

  const run = await tandem.untilSucceeded(id);
  expect(run.attempts).toHaveLength(2);
  expect((await tandem.evaluations(id)).map(withoutTime)).toEqual([withoutTime(await ofTraining(grpo, 2))]);
  const free = await fetch(`${tandem.url}/runs/${grpo.id}/checkpoints/checkpoint-2`, { method: 'DELETE' });
  expect(free.status).toBe(204);
});
