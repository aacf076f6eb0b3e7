import { expect, it } from 'vitest';
import { mergeSpecs, resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import { eightH100 } from '../placement/gpu-map.fixtures.ts';
import { specWarnings } from './spec-warnings.ts';

const usual = { model: { name: 'model' }, data: { train_data: 'train.jsonl', val_data: 'val.jsonl' } };
const byVllm = { inference: { backend: 'vllm' } };

function warningsOf(change: Record<string, unknown>, gpus = 8): string[] {
  const resolved = resolveRunSpec(mergeSpecs(usual, change));
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return specWarnings(resolved.spec, { gpus: eightH100.gpus.slice(0, gpus) });
}

it.each<[Record<string, unknown>, number, string]>([
  [{ ...byVllm, rollout: { concurrency: 9 } }, 8, 'rollout.concurrency 9: more tasks in flight than the 8 GPUs '],
  [byVllm, 1, 'rollout.concurrency 4: more tasks in flight than the 1 GPU '],
  [{ rollout: { num_rollouts: 1 } }, 8, 'rollout.num_rollouts 1: a group of one'],
  [{ rollout: { num_rollouts: 3 } }, 8, 'rollout.num_rollouts 3: groups of 4 to 8'],
  [{ rollout: { num_rollouts: 9 } }, 8, 'rollout.num_rollouts 9: groups of 4 to 8'],
  [{ model: { lora: { r: 33 } } }, 8, 'model.lora.r 33: ranks of 8, 16 or 32'],
  [{ method: 'sft', model: { lora: { r: 65 } } }, 8, 'model.lora.r 65: ranks of 8, 16 or 32'],
  [{ grpo: { epsilon_high: 0.3 } }, 8, 'the ratio is 1 and nothing is clipped'],
  [{ grpo: { loss_type: 'gspo' } }, 8, 'its gradient is that of grpo; raise grpo.num_iterations'],
  [{ grpo: { loss_type: 'cispo' } }, 8, 'its gradient is that of dapo; raise grpo.num_iterations'],
  [{ grpo: { loss_type: 'cispo', epsilon_low: 0.1, num_iterations: 2 } }, 8, 'cispo has no lower bound'],
  [{ grpo: { use_decoupled_loss: false, mismatch_correction: 'off' } }, 8, 'use_decoupled_loss false nothing is'],
  [{ grpo: { use_decoupled_loss: false, mismatch_cap: 3 } }, 8, 'use_decoupled_loss false nothing is corrected'],
  [{ model: { lora: { dropout: 0.1 } } }, 8, 'model.lora.dropout 0.1: the trainer'],
  [{ beta: 0.04 }, 8, "dpo.beta 0.04: that is DPO's; the weight of GRPO's KL term is grpo.kl_coef"],
  [{ grpo: { dynamic_sampling: true, max_sampling_rounds: 1 } }, 8, 'no group is replaced'],
  [
    { rollout: { max_staleness: 2 }, grpo: { mismatch_correction: 'off' } },
    8,
    'as if they were of the current one; use tis',
  ],
  [{ rollout: { max_staleness: 9 } }, 8, 'rollout.max_staleness 9: bounds of 1 to 8 are usual'],
  [{ sft: { packing: true }, dpo: { loss_type: 'ipo' } }, 8, 'no effect: sft.packing, dpo.loss_type'],
  [
    { method: 'sft', dpo: { beta: 0.2 }, grpo: { kl_coef: 0.1 }, rollout: { num_rollouts: 1 } },
    8,
    'method sft has no use for these, so they have no effect: dpo.beta, grpo.kl_coef, rollout.num_rollouts',
  ],
  [
    { method: 'dpo', reward: [{ name: 'numeric' }] },
    8,
    'method dpo has no use for these, so they have no effect: reward',
  ],
  [{ data: { val_data: null } }, 8, 'by it; eval_avg_test_pass_rate is measured on problems of the training set'],
  [{ training: { eval_steps: 0 } }, 8, 'val_history stays empty and eval_avg_test_pass_rate is absent; set it above 0'],
  [{ data: { val_data: null }, training: { eval_steps: 0 } }, 8, 'eval_avg_test_pass_rate is absent; set it above 0'],
  [
    { method: 'sft', data: { val_data: null }, training: { eval_steps: 0, run_baseline_eval: true } },
    8,
    'data.val_data is not set',
  ],
])('hints at what is unusual in %j on %i GPUs', (change, gpus, warning) => {
  expect(warningsOf(change, gpus)).toEqual([expect.stringContaining(warning)]);
});

it.each<[Record<string, unknown>, number]>([
  [{ ...byVllm, rollout: { concurrency: 8, num_rollouts: 8 } }, 8],
  [{ ...byVllm, rollout: { num_rollouts: 4 } }, 4],
  // Served on the CPU, or where nobody here counts the GPUs.
  [{ inference: { backend: 'embedded' }, rollout: { concurrency: 64 } }, 0],
  [{ inference: { vllm: { api_base: 'http://10.0.0.7:8000/v1' } }, rollout: { concurrency: 64 } }, 1],
  // Nothing is rolled out.
  [{ method: 'sft', rollout: { concurrency: 64 } }, 8],
  [{ model: { lora: { r: 32 } } }, 8],
  [{ method: 'sft' }, 8],
  [{ method: 'dpo', beta: 0.04 }, 8],
  // Nothing was asked for that needs it.
  [{ method: 'sft', data: { val_data: null }, training: { eval_steps: 0 } }, 8],
  [{ monitoring: { enable_tensorboard: true } }, 8],
  [{ grpo: { loss_type: 'gspo', epsilon_high: 0.3, num_iterations: 2 } }, 8],
  [{ grpo: { loss_type: 'gspo', epsilon_high: 0.3, use_decoupled_loss: false } }, 8],
  [{ model: { use_lora: false, lora: { r: 64 } } }, 8],
  [{ grpo: { use_decoupled_loss: false } }, 8],
  [{ model: { use_lora: false, lora: { dropout: 0.1 } } }, 8],
  [{ model: { lora: { dropout: 0.1 } }, grpo: { mismatch_correction: 'off' } }, 8],
  [{ method: 'sft', model: { lora: { dropout: 0.1 } } }, 8],
  [{ monitoring: { enable_tensorboard: true } }, 8],
])('has no hint for %j on %i GPUs', (change, gpus) => {
  expect(warningsOf(change, gpus)).toEqual([]);
});
