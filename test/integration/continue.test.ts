import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Run } from '../../services/contracts/run.ts';
import { makeSmallRuns, type SmallRuns } from '../support/small-runs.ts';
import { startTandem, type Tandem } from '../support/tandem.ts';

/* A run goes on with other hyper-parameters: for each group of them, what then happens. */

let tandem: Tandem;
let small: SmallRuns;
let sft: Run;
let other: string;
let pairs: string;

const adapter = { max_seq_length: 64, lora: { r: 4, alpha: 8 } };
/** About half of what a random model writes has one of these. */
const SOMETIMES = '[a-z0-9]';
const plain = { lr_scheduler_type: 'constant', warmup_steps: 0, batch_size: 4, logging_steps: 1 };

beforeAll(async () => {
  tandem = await startTandem({ TANDEM_SLOTS: '2' });
  small = await makeSmallRuns(tandem);
  const lines = readFileSync(small.train, 'utf8').trim().split('\n');
  other = join(tandem.directory, 'data/other.jsonl');
  writeFileSync(other, `${lines.slice(0, 10).join('\n')}\n`);
  pairs = join(tandem.directory, 'data/pairs.jsonl');
  const preferred = lines.map((line) => JSON.parse(line) as { prompt: string; completion: string });
  writeFileSync(
    pairs,
    preferred
      .map(({ prompt, completion }) => `${JSON.stringify({ prompt, chosen: completion, rejected: '7' })}\n`)
      .join(''),
  );
  const spec = small.sft({ ...plain, learning_rate: 1e-3, max_steps: 6, eval_steps: 3, save_steps: 3 });
  const { id } = await tandem.post<Run>('/runs', { ...spec, model: { name: small.model, ...adapter } });
  sft = await tandem.untilSucceeded(id);
});
afterAll(() => tandem?.dispose());

const goOn = async (request: object) => {
  const { id } = await tandem.post<Run>(`/runs/${sft.id}/resume`, { fork: true, ...request });
  return await tandem.untilSucceeded(id);
};
/** Recorded values of a metric by step. */
const valuesOf = async ({ id }: Run, name: string) => {
  const { series } = await tandem.get<{ series: { steps: number[]; values: number[] }[] }>(
    `/runs/${id}/metrics?names=${encodeURIComponent(name)}`,
  );
  return Object.fromEntries((series[0]?.steps ?? []).map((step, at) => [step, series[0]?.values[at]]));
};
const logOf = async ({ id }: Run) =>
  (await tandem.get<{ lines: { message: string }[] }>(`/runs/${id}/logs?tail=10000`)).lines
    .map(({ message }) => message)
    .join('\n');

const table: readonly (readonly [what: string, request: object, check: (run: Run) => Promise<void>])[] = [
  [
    'learning rate and schedule count from the next step, the schedule over the whole run',
    { overrides: { training: { learning_rate: 5e-4, lr_scheduler_type: 'linear', max_steps: 12 } } },
    async (run) => {
      const rates = await valuesOf(run, 'train/learning_rate');
      expect([rates[7], rates[12]]).toEqual([expect.closeTo(2.5e-4, 10), expect.closeTo(5e-4 / 12, 10)]);
    },
  ],
  [
    'batches and accumulation change from the next step, and no example is skipped or seen twice',
    { overrides: { training: { batch_size: 8, gradient_accumulation_steps: 2, max_steps: 8 } } },
    async (run) => {
      const epochs = await valuesOf(run, 'train/epoch');
      expect([epochs[7], epochs[8]]).toEqual([expect.closeTo(40 / 84, 10), expect.closeTo(56 / 84, 10)]);
    },
  ],
  [
    'num_epochs in other batches sees the rest of the data',
    { overrides: { training: { max_steps: null, num_epochs: 1, batch_size: 20 } } },
    async (run) => expect(run.progress).toMatchObject({ step: 9, total_steps: 9, epoch: 1 }),
  ],
  [
    'fewer steps than were done start from an earlier checkpoint',
    { from: 'checkpoint-3', overrides: { training: { max_steps: 4 } } },
    async (run) => expect(run.progress).toMatchObject({ step: 4, total_steps: 4 }),
  ],
  [
    'other data starts at its beginning, and is seen as often as was asked for',
    { overrides: { training: { max_steps: null, num_epochs: 1 }, data: { train_data: () => other } } },
    async (run) => {
      expect(run.progress).toMatchObject({ step: 9, total_steps: 9, epoch: 1 });
      expect(await logOf(run)).toContain(
        'The training data has changed since the checkpoint: it starts at its beginning',
      );
    },
  ],
  [
    'another metric for the best model chooses anew',
    { overrides: { training: { metric_for_best_model: 'eval/accuracy', max_steps: 9 } } },
    async (run) => {
      expect(await logOf(run)).toContain('now chosen by eval/accuracy, no longer by eval_loss');
      expect((await tandem.checkpoints(run.id)).find(({ aliases }) => aliases.includes('best'))?.step).toBe(9);
    },
  ],
];

test.concurrent.each(table)('%s', async (_, request, check) => {
  // Paths are known once the test has its directory.
  const written = JSON.stringify(request, (_key, value: unknown) => (typeof value === 'function' ? value() : value));
  await check(await goOn(JSON.parse(written)));
});

test.each([
  ['dpo', () => ({ train_data: pairs })],
  ['grpo', () => ({ train_data: small.train })],
] as const)('what SFT has trained is trained on by %s as a new run, without repeating its adapter', async (method, data) => {
  const { id } = await tandem.post<Run>('/runs', {
    method,
    model: { name: `runs/${sft.id}/best`, max_seq_length: 64 },
    data: data(),
    training: { max_steps: 1, batch_size: 2, run_baseline_eval: false },
    rollout: { num_rollouts: 2, max_new_tokens: 4 },
  });
  const run = await tandem.untilSucceeded(id);
  expect(run.spec.model.lora).toMatchObject({ r: 4, alpha: 8 });
  expect(run.progress?.step).toBe(1);
});

test.each([
  ['dpo', () => ({ train_data: pairs })],
  ['grpo', () => ({ train_data: small.train })],
] as const)('%s trains full weights that begin as an adapter merged into its base, against these as the reference', async (method, data) => {
  const { id } = await tandem.post<Run>('/runs', {
    method,
    model: { name: `runs/${sft.id}/final`, max_seq_length: 64, use_lora: false },
    data: data(),
    training: {
      max_steps: 2,
      batch_size: 2,
      learning_rate: 1e-3,
      run_baseline_eval: false,
      lr_scheduler_type: 'constant',
      warmup_steps: 0,
    },
    rollout: { num_rollouts: 4, max_new_tokens: 5 },
    reward: [{ name: 'regex', pattern: SOMETIMES }],
    grpo: { kl_coef: 0.1 },
  });
  const run = await tandem.untilSucceeded(id);
  expect(await logOf(run)).toMatch(/trainable \(100\.00%\)/);
  if (method === 'dpo') {
    // Policy and reference are one, so no pair is in order: log 2. A step later they are not.
    const losses = await valuesOf(run, 'train/loss');
    expect(losses[1]).toBeCloseTo(Math.log(2), 6);
    expect(losses[2]).not.toBe(losses[1]);
  } else {
    const [kl, mismatch] = [await valuesOf(run, 'train/kl'), await valuesOf(run, 'train/mismatch_abs')];
    expect(kl[1]).toBe(0);
    expect(kl[2]).toBeGreaterThan(0);
    // The server plays the very weights that are trained.
    expect([mismatch[1], mismatch[2]]).toEqual([0, 0]);
  }
});

test('a KL term that a fork adds is in its loss, against what the run itself started from', async () => {
  const grpo = (training: object, klCoef: number) => ({
    ...small.grpo({ batch_size: 2, save_steps: 3, eval_steps: 0, run_baseline_eval: false, ...training }),
    reward: [{ name: 'regex', pattern: SOMETIMES }],
    grpo: { kl_coef: klCoef },
  });
  const submitted = [
    await tandem.post<Run>('/runs', grpo({ max_steps: 3 }, 0)),
    // So little that it only measures: what the fork has to find after the same three steps.
    await tandem.post<Run>('/runs', grpo({ max_steps: 4 }, 1e-12)),
  ];
  const [without, measuring] = await Promise.all(submitted.map(({ id }) => tandem.untilSucceeded(id)));
  const overrides = { grpo: { kl_coef: 0.5 }, training: { max_steps: 4 } };
  const { id } = await tandem.post<Run>(`/runs/${without!.id}/resume`, { fork: true, overrides });
  const fork = await tandem.untilSucceeded(id);

  const [kl, klLoss, policyLoss, loss] = await Promise.all(
    ['kl', 'kl_loss', 'policy_loss', 'loss'].map(async (name) => (await valuesOf(fork, `train/${name}`))[4]!),
  );
  const measured = await valuesOf(measuring!, 'train/kl');
  expect(measured[1]).toBe(0);
  expect(kl).toBeGreaterThan(1e-4);
  expect(kl! / measured[4]!).toBeCloseTo(1, 3);
  // The mean over all tokens of the step is what dapo normalises by.
  expect(klLoss).toBeCloseTo(0.5 * kl!, 6);
  expect(loss).toBeCloseTo(policyLoss! + klLoss!, 6);
  expect(policyLoss).toBeCloseTo((await valuesOf(measuring!, 'train/policy_loss'))[4]!, 4);
});

test('full weights that are trained on an adapter begin as its base with it merged', async () => {
  const { id } = await tandem.post<Run>('/runs', {
    // A step that changes nothing, so that what is measured after it is the start.
    ...small.sft({ ...plain, learning_rate: 1e-9, max_steps: 1, eval_steps: 1 }),
    model: { name: `runs/${sft.id}/latest`, max_seq_length: 64, use_lora: false },
  });
  const run = await tandem.untilSucceeded(id);
  const before = (await valuesOf(sft, 'eval_loss'))[6]!;
  expect((await valuesOf(run, 'eval_loss'))[1]).toBeCloseTo(before, 4);
  expect(await logOf(run)).toMatch(/trainable \(100\.00%\)/);
});
