import { resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { inferenceOf } from './inference-of.ts';
import { methodWarnings } from './method-warnings.ts';
import type { Host } from './placement.ts';

type Gpus = Pick<Host, 'gpus'>;

/** Hints about a spec that runs: what is unusual, and what this build leaves undone. None of them stops a run (requirements L6, L12). */
export function specWarnings(spec: RunSpec, host: Gpus): string[] {
  const { model } = spec;
  return [
    ...(spec.method === 'grpo' ? rolloutWarnings(spec, host) : []),
    ...methodWarnings(spec),
    ...when(
      model.use_lora && model.lora.r > (spec.method === 'sft' ? 64 : 32),
      `model.lora.r ${model.lora.r}: ranks of 8, 16 or 32 are usual; memory grows with the rank`,
    ),
    ...when(model.bf16, 'model.bf16: the tfjs trainer computes in float32'),
    ...evaluationHints(spec),
    ...serverWarnings(spec),
  ];
}

/** Sections that are about training, and what an evaluation uses of them. */
const usedByEvaluation = {
  training: ['max_eval_samples', 'output_dir', 'start_fresh'],
  checkpoint: ['resume_from_checkpoint'],
  grpo: [],
} as const;

/** Hints about an evaluation: what is set and has no effect. */
export function evaluationWarnings(spec: RunSpec): string[] {
  const { method, model, data, task } = spec;
  const plain = resolveRunSpec({ task, method, model: { name: model.name }, data: { val_data: data.val_data } });
  const unused = Object.entries(usedByEvaluation).flatMap(([section, used]: [string, readonly string[]]) => {
    const keys = spec[section as keyof typeof usedByEvaluation] as Record<string, unknown>;
    const defaults = (plain.ok ? plain.spec[section as keyof typeof usedByEvaluation] : {}) as Record<string, unknown>;
    return Object.keys(keys)
      .filter((key) => !used.includes(key) && JSON.stringify(keys[key]) !== JSON.stringify(defaults[key]))
      .map((key) => `${section}.${key}`);
  });
  if (data.train_data !== null) unused.push('data.train_data');
  return [
    ...when(unused.length > 0, `task: evaluate trains nothing, so these have no effect: ${unused.join(', ')}`),
    ...when(model.bf16, 'model.bf16: the tfjs trainer computes in float32'),
    ...serverWarnings(spec),
  ];
}

/** Why `val_history` will be empty, `eval_avg_test_pass_rate` absent or of other problems (requirement L8). */
function evaluationHints({ method, data, training }: RunSpec): string[] {
  const isGrpo = method === 'grpo';
  const evaluates = training.eval_steps > 0;
  return [
    ...when(
      data.val_data === null && (evaluates || training.run_baseline_eval === true),
      'data.val_data is not set: nothing is evaluated, val_history stays empty and no best checkpoint is chosen by it' +
        (isGrpo && evaluates ? '; eval_avg_test_pass_rate is measured on problems of the training set' : ''),
    ),
    ...when(
      !evaluates && (isGrpo || data.val_data !== null),
      'training.eval_steps 0: nothing is evaluated while it trains, val_history stays empty' +
        (isGrpo ? ' and eval_avg_test_pass_rate is absent; set it above 0' : ''),
    ),
  ];
}

function rolloutWarnings(spec: RunSpec, { gpus }: Gpus): string[] {
  const { num_rollouts: size, temperature, concurrency } = spec.rollout;
  const count = `${gpus.length} GPU${gpus.length === 1 ? '' : 's'}`;
  return [
    ...when(size === 1, 'rollout.num_rollouts 1: a group of one has no variance, so nothing is learned'),
    ...when(size > 1 && (size < 4 || size > 8), `rollout.num_rollouts ${size}: groups of 4 to 8 are usual`),
    // The embedded server computes on the CPU, and what a server of the user's own has is not known.
    ...when(
      inferenceOf(spec).kind === 'vllm' && concurrency > gpus.length,
      `rollout.concurrency ${concurrency}: more tasks in flight than the ${count} that runs may use here; lower it when completions time out or memory runs out`,
    ),
    ...when(
      temperature === 0 && size > 1,
      'rollout.temperature 0: all completions of a group are the same, so nothing is learned',
    ),
  ];
}

/** What of the server's settings has no effect. */
function serverWarnings(spec: RunSpec): string[] {
  const { kind } = inferenceOf(spec);
  const { gpu_memory_utilization: share, tensor_parallel_size: size } = spec.inference.vllm;
  const why = kind === 'external' ? 'a server of your own decides that itself' : 'the embedded server uses no GPU';
  return [
    ...when(kind !== 'vllm' && share !== null, `inference.vllm.gpu_memory_utilization: ${why}`),
    ...when(kind !== 'vllm' && size !== null, `inference.vllm.tensor_parallel_size: ${why}`),
  ];
}

function when(condition: boolean, warning: string): string[] {
  return condition ? [warning] : [];
}
