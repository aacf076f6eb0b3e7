import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Database } from '../../platform/database.ts';
import { ProblemError } from '../api/problem-error.ts';
import { createTestBench, type TestBench } from '../testing.ts';
import type { Wiring } from '../wiring.ts';
import { trainedRun } from './trained-run.fixture.ts';

/* What may change when a run goes on: `test/integration/continue.test.ts` tells what then happens. */

let bench: TestBench;
let wiring: Wiring & { db: Database };
let id: string;

beforeAll(async () => {
  bench = await createTestBench();
  wiring = await bench.open();
  writeFileSync(join(bench.root, 'other.jsonl'), '{"prompt":"2+2=","answer":"4"}\n');
  id = await trainedRun(bench, wiring, { model: { name: 'model', lora: { r: 4, alpha: 8 } } });
});
afterEach(() => {
  for (const run of wiring.service.list({ status: 'queued', limit: 100 }).runs) wiring.service.cancel(run.id);
});
afterAll(() => bench.remove());

const resume = (overrides: Record<string, unknown>, fork: boolean) =>
  wiring.service.resume(id, { from: 'latest', overrides, fork }, () => undefined);
const issuesOf = async (work: Promise<unknown>) => {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error === null) return null;
  if (!(error instanceof ProblemError)) throw error;
  return (error.issues ?? []).map(({ path }) => path);
};

describe.each([
  ['resumed', false],
  ['forked', true],
])('a run that is %s', (_, fork) => {
  it.each([
    [{ training: { learning_rate: 1e-3, lr_scheduler_type: 'cosine', warmup_steps: 3 } }],
    [{ training: { batch_size: 2, gradient_accumulation_steps: 8 } }],
    [{ training: { max_steps: 9 } }],
    [{ training: { num_epochs: 3, weight_decay: 0.1, max_grad_norm: 2 } }],
    [{ training: { eval_steps: 3, save_steps: 2, metric_for_best_model: 'eval/accuracy' } }],
    [{ model: { lora: { dropout: 0.1 }, max_seq_length: 64 } }],
    [{ data: { val_data: 'other.jsonl' } }],
    [{ dpo: { beta: 0.2 }, grpo: { kl_coef: 0.1 }, reward: [{ name: 'numeric' }] }],
  ])('may change %j', async (overrides) => {
    expect(await issuesOf(resume(overrides, fork))).toBeNull();
  });

  it.each([
    [{ model: { lora: { r: 8 } } }, 'model.lora.r'],
    [{ model: { lora: { alpha: 16 } } }, 'model.lora.alpha'],
    [{ model: { lora: { target_modules: ['q_proj'] } } }, 'model.lora.target_modules'],
    [{ model: { use_lora: false } }, 'model.use_lora'],
    [{ model: { use_4bit: true } }, 'model.use_4bit'],
    [{ method: 'grpo', rollout: { max_new_tokens: 8 } }, 'method'],
    [{ training: { max_steps: 3 } }, 'training.max_steps'],
  ])('may not change %j', async (overrides, path) => {
    expect(await issuesOf(resume(overrides, fork))).toContain(path);
  });
});

it('goes on with other data as a fork alone', async () => {
  const overrides = { data: { train_data: 'other.jsonl' } };
  expect(await issuesOf(resume(overrides, false))).toEqual(['data.train_data']);
  expect(await issuesOf(resume(overrides, true))).toBeNull();
});

describe('a new run on what another has trained', () => {
  const onTrained = async (model: object) => {
    const spec = bench.spec({ method: 'grpo', model: { name: `runs/${id}/latest`, ...model } });
    return (await wiring.service.dryRun(spec)).spec.model;
  };

  it('has the shape of its adapter without being told', async () => {
    expect(await onTrained({})).toMatchObject({ lora: { r: 4, alpha: 8 } });
    expect(await onTrained({ lora: { dropout: 0.1 } })).toMatchObject({ lora: { r: 4, alpha: 8, dropout: 0.1 } });
  });

  it('may train full weights, into which its adapter is merged, whatever its shape', async () => {
    expect(await onTrained({ use_lora: false, lora: { r: 8 } })).toMatchObject({ use_lora: false });
  });

  it.each([
    [{ lora: { r: 8 } }, /of rank 4; leave model\.lora\.r out/],
    [{ lora: { alpha: 16 } }, /of alpha 8; leave model\.lora\.alpha out/],
    [
      { lora: { target_modules: ['q_proj'] } },
      /of target_modules \["down_proj",.*leave model\.lora\.target_modules out/,
    ],
  ])('is refused with another: %j', async (model, message) => {
    await expect(onTrained(model)).rejects.toThrow(message);
  });
});
