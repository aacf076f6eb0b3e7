/*
 * What every metric means: the one definition that `services/trainer/METRICS.md` is made from, and that runs are held against. A value that depends on the
 * machine or the time of day is named `perf/` or `system/`, and is no part of what a resumed run repeats.
 */

export const metricMethods = ['sft', 'dpo', 'grpo'] as const;
export type MetricMethod = (typeof metricMethods)[number];

export interface MetricDefinition {
  /** `1` for a plain number, as in a mean reward. */
  unit: '1' | 'share' | 'nats' | 'tokens' | 'steps' | 'epochs' | 's' | 'samples/s' | 'tokens/s' | 'MiB' | 'CPUs' | '%';
  description: string;
  methods: readonly MetricMethod[];
  /** When it is recorded, where that is not at every step or, for an evaluation, at every evaluation. */
  when?: string;
}

const every = metricMethods;
const defined = (
  unit: MetricDefinition['unit'],
  description: string,
  methods: readonly MetricMethod[],
  when?: string,
) => ({ unit, description, methods, ...(when !== undefined && { when }) }) satisfies MetricDefinition;

const GPU = 'where nvidia-smi shows the trainer a GPU';
const REPORTED = 'where the environment reports the count';
const AHEAD = 'with `rollout.max_staleness` above 0';
const examples = ['sft', 'dpo'] as const;

export const metricDefinitions: Readonly<Record<string, MetricDefinition>> = {
  'train/loss': defined(
    '1',
    'What was minimised: per target token (SFT), per pair (DPO), policy loss and KL loss (GRPO).',
    every,
  ),
  'train/learning_rate': defined('1', 'Of the update.', every),
  'train/epoch': defined('epochs', 'Passes over the data, fractional.', every),
  'train/step': defined('steps', 'Optimizer steps.', every),
  'train/grad_norm': defined(
    '1',
    'Norm of all gradients before they are clipped.',
    every,
    'at steps that made an update',
  ),
  'train/entropy': defined(
    'nats',
    "Mean entropy of the policy's next-token distribution over the trained tokens.",
    every,
  ),
  'train/tokens': defined('tokens', 'Target tokens of the step; of both sides of a pair (DPO).', examples),

  'train/accuracy': defined(
    'share',
    'Rollouts that succeeded (GRPO); pairs whose chosen side has the larger reward (DPO).',
    ['dpo', 'grpo'],
  ),
  'train/reward_margin': defined('1', 'Mean of the chosen reward less the rejected one.', ['dpo']),
  'train/chosen_reward': defined('1', 'Mean implicit reward of the chosen sides.', ['dpo']),
  'train/rejected_reward': defined('1', 'Mean implicit reward of the rejected sides.', ['dpo']),
  'train/chosen_logprob': defined('nats', 'Mean log probability of the chosen completions.', ['dpo']),
  'train/rejected_logprob': defined('nats', 'Mean log probability of the rejected completions.', ['dpo']),

  'train/policy_loss': defined('1', 'Clipped surrogate with its sign turned, weighted against mismatch.', ['grpo']),
  'train/kl_loss': defined('1', '`kl_coef` times the KL estimate.', ['grpo']),
  'train/kl': defined('nats', 'k3 estimate of KL(policy || reference).', ['grpo']),
  'train/avg_reward': defined('1', 'Mean reward of the rollouts.', ['grpo']),
  'train/reward': defined('1', 'The same, by its other name.', ['grpo']),
  'train/median_reward': defined('1', 'Median reward of the rollouts.', ['grpo']),
  'train/reward_std': defined('1', 'Population standard deviation of the rewards.', ['grpo']),
  'train/groups_kept': defined('1', 'Groups with at least one advantage that is not zero.', ['grpo']),
  'train/groups_filtered': defined('1', 'Groups whose rewards have no variance, which teach nothing.', ['grpo']),
  'train/groups_skipped': defined('1', 'Tasks that a reward could not score.', ['grpo']),
  'train/dead_group_ratio': defined('share', 'Groups with no variance, of those that were scored.', ['grpo']),
  'train/num_early_exit': defined('1', 'Rollouts with fewer than `max_turns × 2` messages.', ['grpo']),
  'train/trainable_token_ratio': defined('share', 'Tokens of the step that carry an advantage.', ['grpo']),
  'train/completion_length': defined('tokens', 'Mean length of the completions.', ['grpo']),
  'train/sampling_rounds': defined('1', 'Rounds of sampling, 1 unless groups were replaced.', ['grpo']),
  'train/truncated_ratio': defined('share', 'Rollouts cut off at the longest length.', ['grpo']),
  'train/overlong_penalty': defined('1', 'Mean of what rollouts lost by their length.', ['grpo']),
  'train/clip_fraction_low': defined('share', 'Tokens held at the lower clip bound.', ['grpo']),
  'train/clip_fraction_high': defined('share', 'Tokens held at the upper clip bound.', ['grpo']),
  'train/ratio_mean': defined('1', 'Mean probability ratio to the policy before the step.', ['grpo']),
  'train/ratio_max': defined('1', 'Largest of these ratios.', ['grpo']),
  'train/mismatch_kl': defined(
    'nats',
    'k3 estimate of KL(server || trainer) over what the server sampled; 0 when both compute the same.',
    ['grpo'],
  ),
  'train/mismatch_abs': defined('nats', "Mean distance of the trainer's log probability from the server's.", ['grpo']),
  'train/mismatch_weight': defined('1', 'Mean importance weight against mismatch, after cap or mask.', ['grpo']),
  'train/mismatch_truncated': defined('share', 'Tokens whose weight was capped or masked.', ['grpo']),
  'train/mismatch_max': defined('nats', 'Largest distance of the log probabilities.', ['grpo']),
  'train/staleness': defined(
    '1',
    'Mean of the policy versions by which the rollouts are behind the policy that learns from them; 0 in synchronous training.',
    ['grpo'],
  ),
  'train/staleness_max': defined('1', 'The same of the rollout that is the furthest behind.', ['grpo'], AHEAD),
  'train/stale_dropped': defined(
    '1',
    'Groups that were too old to learn from, whose tasks were played again.',
    ['grpo'],
    AHEAD,
  ),
  'reward/<name>/mean': defined('1', 'Mean of one reward before its weight, by its name.', ['grpo']),
  'reward/<name>/std': defined('1', 'Population standard deviation of one reward.', ['grpo']),

  'eval/accuracy': defined(
    'share',
    'Problems answered correctly (GRPO), target tokens that are the likeliest (SFT), pairs ranked rightly (DPO).',
    every,
  ),
  'eval/best_accuracy': defined('share', 'Best accuracy so far.', every),
  'eval/avg_reward': defined('1', 'Mean reward.', ['grpo']),
  'eval/reward': defined('1', 'The same, by its other name.', ['grpo']),
  'eval/median_reward': defined('1', 'Median reward.', ['grpo']),
  'eval/reward_std': defined('1', 'Population standard deviation of the rewards.', ['grpo']),
  'eval/std_reward': defined('1', 'The same, by its other name.', ['grpo']),
  'eval/attempted_answer_rate': defined('share', 'Problems in which an answer was attempted.', ['grpo'], REPORTED),
  'eval/found_profile_rate': defined('share', 'Problems in which the correct profile was found.', ['grpo'], REPORTED),
  'eval/read_profile_rate': defined('share', 'Problems in which the correct profile was read.', ['grpo'], REPORTED),
  'eval/avg_turns': defined('1', 'Mean number of turns.', ['grpo'], 'where the environment reports it'),
  'eval/avg_search_attempts': defined('1', 'Mean number of searches.', ['grpo'], 'where the environment reports it'),
  'inference/step': defined('steps', 'Optimizer steps of the policy that was evaluated.', ['grpo']),
  eval_avg_test_pass_rate: defined(
    'share',
    'Mean share of tests that pass; the accuracy where the environment has no tests.',
    ['grpo'],
  ),
  val_reward: defined('1', '`eval/avg_reward`, as older scripts call it.', ['grpo']),
  'eval/loss': defined('1', 'Mean loss on the validation set.', examples),
  eval_loss: defined('1', '`eval/loss`, as older scripts call it.', examples),
  'eval/reward_margin': defined('1', 'Mean margin of the implicit rewards.', ['dpo']),
  val_accuracy: defined('share', '`eval/accuracy`, as older scripts call it.', ['dpo']),
  val_loss: defined('1', '`eval/loss`, as older scripts call it.', ['dpo']),
  val_reward_margin: defined('1', '`eval/reward_margin`, as older scripts call it.', ['dpo']),

  'perf/rollout_time': defined('s', 'Of the step, for rollouts; 0 without.', every),
  'perf/training_time': defined('s', 'Of the step, for gradients and the update.', every),
  'perf/weight_sync_time': defined(
    's',
    'Of the rollout time, until the server served the current weights, checked by its canary.',
    ['grpo'],
  ),
  'perf/rollout_wait_time': defined(
    's',
    'Of the rollout time, for which the trainer waited for rollouts.',
    ['grpo'],
    AHEAD,
  ),
  'perf/rollout_idle_time': defined(
    's',
    'Since the last step, without a rollout in flight: all were done that the bound on staleness allows.',
    ['grpo'],
    AHEAD,
  ),
  'perf/rollouts_in_flight': defined('1', 'Tasks in flight when the step began to train.', ['grpo'], AHEAD),
  'perf/rollouts_buffered': defined('1', 'Tasks that were done then and waited for a later step.', ['grpo'], AHEAD),
  'perf/inference_retries': defined(
    '1',
    'Calls to the inference server since the last step that had to be made again; 0 when all is well.',
    ['grpo'],
  ),
  'perf/inference_retries_<kind>': defined(
    '1',
    'Of these, those that met `unreachable`, `busy` (429, or 503 with a time to come back at), `timeout`, `stuck`, `unknown_model` (it has forgotten the policy: it was restarted) or `garbled` (no answer to this question).',
    ['grpo'],
    'where there were some',
  ),
  'perf/throughput': defined('samples/s', 'Samples or rollouts of the step by its time.', every),
  'perf/tokens_per_second': defined(
    'tokens/s',
    'Tokens of the step by its time: target tokens (SFT, DPO), prompts and completions (GRPO).',
    every,
  ),
  'perf/memory_usage': defined('MiB', "The trainer's resident memory.", every),
  'perf/peak_memory': defined('MiB', "The largest that the trainer's resident memory has been in this attempt.", every),
  'perf/gpu_utilization': defined('%', 'Mean utilisation of the GPUs.', every, GPU),
  'system/gpu_memory_used': defined('MiB', 'Memory in use on these GPUs together.', every, GPU),
  'system/gpu_memory_total': defined('MiB', 'Memory of these GPUs together.', every, GPU),
  'system/gpu_memory_peak': defined('MiB', 'Most memory that was seen in use on them in this attempt.', every, GPU),
  'system/cpu_usage': defined(
    'CPUs',
    'CPUs that the trainer kept busy since the last step: 1 is one of them, fully.',
    every,
  ),
  'system/disk_usage': defined('share', 'Used part of the disk that the workspace is on.', every),
};

/** The definition of a metric by the name under which it is recorded; undefined for one that is another program's own. */
export function metricDefinition(name: string): MetricDefinition | undefined {
  const family = name
    .replace(/^reward\/.+\/(mean|std)$/, 'reward/<name>/$1')
    .replace(/^perf\/inference_retries_.+$/, 'perf/inference_retries_<kind>');
  return metricDefinitions[name] ?? metricDefinitions[family];
}

/** The table of all metrics in Markdown. */
export function metricsTable(): string {
  const rows = Object.entries(metricDefinitions).map(([name, { unit, description, methods, when }]) => {
    const who = methods.length === metricMethods.length ? 'all' : methods.join(', ');
    return `| \`${name}\` | ${unit} | ${description.replaceAll('|', '\\|')}${when === undefined ? '' : ` Only ${when}.`} | ${who} |`;
  });
  return ['| name | unit | meaning | methods |', '|---|---|---|---|', ...rows].join('\n');
}
