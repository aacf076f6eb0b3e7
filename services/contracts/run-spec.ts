import { z } from 'zod';
import { field } from './field.ts';

/**
 * The run spec: what a user posts to `POST /runs`, as YAML or JSON. Names are those of the users' own configs (requirements L5);
 * older spellings are mapped by `spec-aliases.ts`, defaults that differ by method are in `method-defaults.ts`.
 * A bound that refuses a value says why in its message.
 */

export const methods = ['grpo', 'dpo', 'sft'] as const;
export const methodSchema = z.enum(methods).meta({ id: 'Method', description: 'Training method.', example: 'grpo' });
export type Method = z.infer<typeof methodSchema>;

export const loraTargets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const;

const positiveInt = (why = 'must be at least 1') => z.int().min(1, why);
const fraction = (why = 'must be between 0 and 1') => z.number().min(0, why).max(1, why);

export const loraSchema = z
  .strictObject({
    r: field(
      positiveInt('LoRA rank 0 trains nothing; set model.use_lora: false for full weights')
        .max(512, 'vLLM serves ranks up to 512')
        .default(16),
      'Rank of the LoRA matrices. 8, 16 or 32 by memory; 16 to 8 is a remedy for CUDA out of memory.',
      16,
    ),
    alpha: field(
      z.number().positive('LoRA alpha scales the update by alpha / r; 0 would switch it off').default(32),
      'LoRA scale; the update is multiplied by alpha / r.',
      32,
    ),
    dropout: field(
      z.number().min(0).lt(1, 'a dropout of 1 would drop every input').default(0),
      'Dropout on the LoRA input while training.',
      0,
    ),
    target_modules: field(
      z
        .array(z.enum(loraTargets))
        .min(1, 'name at least one projection')
        .default([...loraTargets]),
      'Projections that get a LoRA; all seven by default.',
      ['q_proj', 'v_proj'],
    ),
  })
  .meta({ id: 'LoraSpec', description: 'Low-rank adapter.' });

export const modelSpecSchema = z
  .strictObject(
    {
      name: field(
        z.string().min(1),
        'A model directory, `runs/<id>/<checkpoint>` (or `runs/<id>` for its best) for what another run trained, or a hub name.',
        'Qwen/Qwen3-VL-32B-Instruct',
      ),
      max_seq_length: field(
        positiveInt().max(1_048_576).default(2048),
        'Longest sequence in tokens, prompt and completion together. Left out: 2048, or what the model was made for if that is less.',
        16384,
      ),
      use_lora: field(z.boolean().default(true), 'Train a LoRA adapter; false trains the full weights.', true),
      lora: field(loraSchema.prefault({}), 'The adapter, when `use_lora` is true.', { r: 16, alpha: 32 }),
      use_4bit: field(z.boolean().default(false), 'QLoRA: keep the frozen weights in 4 bits.', false),
      bf16: field(
        z.boolean().default(false),
        'Compute in bfloat16 where the trainer backend can; the tfjs trainer computes in float32.',
        true,
      ),
    },
    { error: (issue) => (issue.input === undefined ? 'is missing; give at least model.name' : undefined) },
  )
  .meta({ id: 'ModelSpec', description: 'What is trained.' });

export const trainingSpecSchema = z
  .strictObject({
    learning_rate: field(
      z.number().positive().max(10, 'a learning rate above 10 diverges at once').default(1e-5),
      'Peak learning rate.',
      1e-5,
    ),
    batch_size: field(
      positiveInt().default(4),
      'Tasks (GRPO) or examples (SFT, DPO) per trainer GPU and step; the total is times the GPUs.',
      4,
    ),
    gradient_accumulation_steps: field(positiveInt().default(1), 'Batches summed into one optimizer step.', 1),
    max_steps: field(positiveInt().nullable().default(null), 'Optimizer steps; null trains for `num_epochs`.', 200),
    num_epochs: field(z.number().positive().default(1), 'Passes over the training data when `max_steps` is null.', 1),
    eval_steps: field(
      z.int().min(0).default(200),
      'Evaluate every so many steps; 0 never evaluates. SFT and DPO 500, GRPO 200 by default.',
      50,
    ),
    logging_steps: field(positiveInt().default(10), 'Write a row of the training log every so many steps.', 10),
    save_strategy: field(
      z.enum(['steps', 'epoch']).default('steps'),
      'Save every `save_steps`, or at the end of each epoch.',
      'steps',
    ),
    save_steps: field(positiveInt().default(100), 'Save a checkpoint every so many steps.', 100),
    save_total_limit: field(
      positiveInt('keep at least one checkpoint, or a crash loses everything').default(5),
      'Checkpoints kept in `checkpoints/`; the best is kept besides.',
      5,
    ),
    load_best_model_at_end: field(
      z.boolean().default(false),
      'Make the best checkpoint, not the last state, the model of the finished run.',
      true,
    ),
    metric_for_best_model: field(
      z.string().min(1).nullable().default(null),
      'Recorded metric that decides the best checkpoint; null: GRPO `val_reward`, DPO `val_accuracy`, SFT `eval_loss`.',
      'eval/accuracy',
    ),
    greater_is_better: field(
      z.boolean().nullable().default(null),
      'Direction of that metric; null: false for a loss, else true.',
      true,
    ),
    output_dir: field(
      z.string().min(1).nullable().default(null),
      "The run's tree on the host; null: `outputs/<run id>`.",
      'outputs/grpo_cua',
    ),
    start_fresh: field(
      z.boolean().default(false),
      'Do not continue from checkpoints found in `output_dir`; the old tree is moved aside.',
      false,
    ),
    lr_scheduler_type: field(
      z.enum(['constant', 'linear', 'cosine']).default('constant'),
      'Learning rate after warm-up.',
      'constant',
    ),
    warmup_steps: field(z.int().min(0).default(0), 'Steps of linear warm-up from 0.', 10),
    weight_decay: field(z.number().min(0).default(0), 'Decoupled weight decay of AdamW.', 0.01),
    adam_beta1: field(z.number().min(0).lt(1).default(0.9), 'AdamW beta 1.', 0.9),
    adam_beta2: field(z.number().min(0).lt(1).default(0.999), 'AdamW beta 2.', 0.999),
    adam_epsilon: field(z.number().positive().default(1e-8), 'AdamW epsilon.', 1e-8),
    max_grad_norm: field(z.number().positive().default(1), 'Gradients are scaled down to this global norm.', 1),
    run_baseline_eval: field(
      z.boolean().nullable().default(null),
      'Evaluate before training; null: as `RUN_BASELINE_EVAL` says, else true.',
      true,
    ),
    max_eval_samples: field(
      positiveInt().nullable().default(null),
      'At most so many problems per evaluation; null: all of `val_data`.',
      200,
    ),
    early_stopping_patience: field(
      positiveInt().nullable().default(null),
      'Stop after so many evaluations without improvement; null: never.',
      5,
    ),
    target_accuracy: field(
      fraction().nullable().default(null),
      'Stop once an evaluation reaches this accuracy; null: never.',
      0.9,
    ),
  })
  .meta({ id: 'TrainingSpec', description: 'How it is trained.' });

export const checkpointSpecSchema = z
  .strictObject({
    resume_from_checkpoint: field(
      z.string().min(1).nullable().default(null),
      'Start from this checkpoint: `runs/<id>/<checkpoint>` or a path such as `outputs/grpo_cua/checkpoints/checkpoint-500`.',
      null,
    ),
    ignore_data_skip: field(
      z.boolean().default(false),
      'On resume start the data from its beginning instead of where it stopped.',
      false,
    ),
    keep_best: field(
      positiveInt().max(1000).default(1),
      'How many of the checkpoints that were the best when they were saved stay, besides `save_total_limit`.',
      3,
    ),
    keep_every: field(
      positiveInt().nullable().default(null),
      'Keep each checkpoint whose step is a multiple of this, besides `save_total_limit`; null: none.',
      500,
    ),
  })
  .meta({ id: 'CheckpointSpec', description: 'Where it starts from, and what stays.' });

export const rolloutSpecSchema = z
  .strictObject({
    num_rollouts: field(
      positiveInt().max(1024).default(4),
      'Completions per task, the GRPO group; 4 to 8 is usual, 1 learns nothing.',
      4,
    ),
    max_turns: field(positiveInt().default(1), 'Turns of an episode at most.', 15),
    concurrency: field(positiveInt().max(4096).default(4), 'Tasks in flight at a time.', 4),
    temperature: field(
      z.number().min(0).max(10).default(1),
      'Sampling temperature of rollouts; evaluation is greedy.',
      1,
    ),
    max_new_tokens: field(positiveInt().default(256), 'Longest completion in tokens.', 256),
  })
  .meta({ id: 'RolloutSpec', description: 'How completions are made.' });

export const inferenceSpecSchema = z
  .strictObject({
    backend: field(
      z.enum(['vllm', 'embedded']).nullable().default(null),
      'What serves the model; null: vLLM on a host with GPUs, else the embedded server.',
      'vllm',
    ),
    vllm: field(
      z
        .strictObject({
          api_base: field(
            z.url().default('http://localhost:8000/v1'),
            'Base URL. The default means the server that Tandem manages; any other is external.',
            'http://localhost:8000/v1',
          ),
          managed: field(
            z.boolean().nullable().default(null),
            'Start the server with the run; null: when `api_base` is the default.',
            true,
          ),
          timeout: field(
            z.number().positive().default(120),
            'Seconds to wait for a completion; 300.0 is the remedy for slow servers.',
            300,
          ),
          tensor_parallel_size: field(
            positiveInt().nullable().default(null),
            'GPUs of one tensor-parallel group; null: as the GPU profile says.',
            4,
          ),
          gpu_memory_utilization: field(
            z.number().gt(0).max(1).nullable().default(null),
            'Share of GPU memory vLLM takes; null: as the GPU profile says (0.85 in split). 0.7 is the remedy after out-of-memory.',
            0.85,
          ),
        })
        .prefault({})
        .meta({ id: 'VllmSpec' }),
      'The vLLM server.',
      {},
    ),
  })
  .meta({ id: 'InferenceSpec', description: 'What makes the rollouts.' });

export const logLevels = ['DEBUG', 'INFO', 'WARNING', 'ERROR'] as const;
export const logLevelSchema = z.enum(logLevels).meta({ id: 'LogLevel', description: 'Severity.', example: 'INFO' });
export type LogLevel = z.infer<typeof logLevelSchema>;

export const loggingSpecSchema = z
  .strictObject({
    level: field(logLevelSchema.default('INFO'), 'Level of every component without a level of its own.', 'INFO'),
    log_to_file: field(z.boolean().default(true), "Write the log files of the run's tree.", true),
    log_file: field(
      z.string().min(1).nullable().default(null),
      'null: `<output_dir>/logs/training.log`.',
      'outputs/grpo_cua/logs/training.log',
    ),
    enable_detailed_logging: field(z.boolean().default(true), 'Write `rollouts.log`.', true),
    detailed_log_file: field(
      z.string().min(1).nullable().default(null),
      'null: `<output_dir>/logs/rollouts.log`.',
      'outputs/grpo_cua/logs/rollouts.log',
    ),
    log_performance: field(z.boolean().default(true), 'Write `performance.log`.', true),
    performance_log_file: field(
      z.string().min(1).nullable().default(null),
      'null: `<output_dir>/logs/performance.log`.',
      'outputs/grpo_cua/logs/performance.log',
    ),
    rollout_log_level: field(logLevelSchema.nullable().default(null), 'Level of rollouts; null: as `level`.', 'DEBUG'),
    training_log_level: field(logLevelSchema.nullable().default(null), 'Level of training; null: as `level`.', 'INFO'),
    eval_log_level: field(logLevelSchema.nullable().default(null), 'Level of evaluation; null: as `level`.', 'INFO'),
    verbose: field(
      z.boolean().nullable().default(null),
      'A marker per step, its phases and a group summary; null: as `VERBOSE` says.',
      false,
    ),
  })
  .meta({ id: 'LoggingSpec', description: 'What is logged where.' });

export const monitoringSpecSchema = z
  .strictObject({
    enable_wandb: field(z.boolean().default(false), 'Send metrics to Weights & Biases.', true),
    wandb_project: field(z.string().min(1).nullable().default(null), 'null: `WANDB_PROJECT`.', 'cua-grpo'),
    wandb_entity: field(z.string().min(1).nullable().default(null), 'W&B team or user.', 'your-entity'),
    wandb_run_name: field(z.string().min(1).nullable().default(null), 'Name shown in W&B.', 'grpo-qwen3vl-32b'),
    wandb_tags: field(z.array(z.string()).default([]), 'W&B tags.', ['grpo']),
    wandb_run_id: field(z.string().min(1).nullable().default(null), 'Pins the W&B run; null: `WANDB_RUN_ID`.', null),
    force_new_wandb_run: field(z.boolean().default(false), 'Always start a new W&B run on resume.', false),
    enable_tensorboard: field(z.boolean().default(false), 'Write TensorBoard event files.', true),
    tensorboard_log_dir: field(
      z.string().min(1).nullable().default(null),
      'null: `<output_dir>/tensorboard`.',
      'outputs/grpo_cua/tensorboard',
    ),
  })
  .meta({ id: 'MonitoringSpec', description: 'Trackers.' });

export const dataSpecSchema = z
  .strictObject({
    train_data: field(
      z.string().min(1).nullable().default(null),
      'Training set: a JSONL file of `{prompt | messages, completion | answer}`.',
      'data/train.jsonl',
    ),
    val_data: field(
      z.string().min(1).nullable().default(null),
      'Validation set in the same format; null: no validation.',
      'data/val.jsonl',
    ),
    shuffle: field(z.boolean().default(true), 'Shuffle each epoch, by the seed.', true),
  })
  .meta({ id: 'DataSpec', description: 'What it learns from.' });

export const rewardNames = ['exact', 'numeric'] as const;
export const rewardSchema = z
  .strictObject({
    name: field(
      z.enum(rewardNames),
      '`exact`: the trimmed completion equals the answer. `numeric`: the last number in it equals the answer.',
      'exact',
    ),
    weight: field(z.number().default(1), 'Factor in the sum of rewards.', 1),
  })
  .meta({ id: 'RewardSpec', description: 'How a completion is scored.' });

export const environmentSpecSchema = z
  .strictObject({
    type: field(
      z.enum(['single_turn']).default('single_turn'),
      '`single_turn`: one prompt of the data set, one completion, one reward.',
      'single_turn',
    ),
    system_prompt: field(z.string().nullable().default(null), 'System message put before each prompt.', null),
  })
  .meta({ id: 'EnvironmentSpec', description: 'What the model acts in.' });

export const mismatchCorrections = ['tis', 'off'] as const;
export const grpoSpecSchema = z
  .strictObject({
    kl_coef: field(
      z.number().min(0).default(0),
      'Weight of the KL term to the reference (the model the run started from); 0 needs no reference.',
      0.05,
    ),
    epsilon_low: field(z.number().gt(0).lt(1).default(0.2), 'Lower clip of the probability ratio.', 0.2),
    epsilon_high: field(
      z.number().gt(0).default(0.28),
      'Upper clip of the probability ratio (clip-higher, DAPO).',
      0.28,
    ),
    mismatch_correction: field(
      z.enum(mismatchCorrections).default('tis'),
      'Truncated importance sampling against trainer/server differences, or off.',
      'tis',
    ),
    mismatch_cap: field(z.number().min(1).default(2), 'Upper bound of that importance weight.', 2),
  })
  .meta({ id: 'GrpoSpec', description: 'GRPO.' });

export const dpoSpecSchema = z
  .strictObject({ beta: field(z.number().positive().default(0.1), 'Strength of the implicit KL constraint.', 0.1) })
  .meta({ id: 'DpoSpec', description: 'DPO.' });

const seconds = z.number().positive().max(604_800, 'a week is the longest that is waited for');

export const deadlinesSpecSchema = z
  .strictObject({
    starting_inference: field(
      seconds.nullable().default(null),
      'From the start of the inference server until it answers; null: as `TANDEM_START_TIMEOUT` says.',
      600,
    ),
    starting_trainer: field(
      seconds.nullable().default(null),
      'From the start of the trainer until its first report; null: as `TANDEM_START_TIMEOUT` says.',
      600,
    ),
    loading: field(seconds.default(7200), 'Reading model, data and checkpoint.', 7200),
    first_step: field(
      seconds.default(14_400),
      'Without progress in the first steps of an attempt, while no usual duration is known.',
      14_400,
    ),
    evaluation: field(seconds.default(14_400), 'Without progress within an evaluation.', 14_400),
    saving: field(seconds.default(7200), 'Without progress while a checkpoint is saved, or at the end.', 7200),
    inference_answer: field(
      seconds.default(120),
      'Without an answer of the inference server to its health check, while the trainer makes no progress; then it is started again.',
      120,
    ),
    stopping: field(
      seconds.nullable().default(null),
      'From a pause or cancel until SIGTERM; null: as `TANDEM_STOP_DEADLINE` says.',
      120,
    ),
  })
  .meta({ id: 'DeadlinesSpec', description: 'Seconds each phase may take before the attempt is given up.' });

export const recoverySpecSchema = z
  .strictObject({
    max_restarts: field(
      z.int().min(0).max(1000).default(3),
      'Restarts after failures of the machine (killed, lost, hung, rebooted) without a new checkpoint in between.',
      3,
    ),
    max_restarts_on_errors: field(
      z.int().min(0).max(1000).default(0),
      "Restarts after the trainer's own errors, which a retry seldom helps, in all.",
      0,
    ),
    backoff_seconds: field(
      z.number().min(0).max(3600).default(5),
      'Wait before the first restart; doubled each time, at most ten minutes.',
      5,
    ),
    hang_factor: field(
      z.number().min(2, 'a healthy step may take twice as long as the usual one').max(10_000).default(20),
      'A step without progress for so many times the median step of the attempt counts as hung.',
      20,
    ),
    hang_floor_seconds: field(
      seconds.default(600),
      'A step is never called hung before this, however short steps are.',
      600,
    ),
    deadlines: field(deadlinesSpecSchema.prefault({}), 'How long each phase may take.', { loading: 7200 }),
  })
  .meta({ id: 'RecoverySpec', description: 'What happens by itself after a failure, and what counts as one.' });

export const runSpecSchema = z
  .strictObject({
    name: field(z.string().min(1).max(120).nullable().default(null), 'A name for people.', 'addition-grpo'),
    method: field(methodSchema.default('grpo'), 'Training method.', 'grpo'),
    labels: field(z.record(z.string().max(63), z.string().max(255)).default({}), 'Labels to filter runs by.', {
      team: 'agents',
    }),
    priority: field(z.int().min(0).max(100).default(50), 'Higher starts earlier.', 50),
    preemptible: field(
      z.boolean().default(true),
      'Whether a run of higher priority may have its GPUs: it is asked to save, and goes on from there later. False where an interruption costs more than it helps.',
      true,
    ),
    expected_minutes: field(
      z.number().positive().max(525_600, 'a year is the longest that is planned for').nullable().default(null),
      'How long it will hold its GPUs, in minutes; the queue plans by it until the run has a speed of its own. null: unknown, so it is not started past runs that it might delay.',
      240,
    ),
    seed: field(z.int().min(0).default(42), 'Seeds data order, LoRA initialisation and sampling.', 42),
    trainer: field(
      z.enum(['tfjs', 'areal', 'trl', 'image']).default('tfjs'),
      'Trainer backend. `image`: any program that speaks the agent API, as a container of `trainer_image`.',
      'tfjs',
    ),
    trainer_image: field(
      z.string().min(1).max(512).nullable().default(null),
      'For `trainer: image`: the image, one of those that TANDEM_TRAINER_IMAGES names. Its own entrypoint is started.',
      null,
    ),
    gpu_profile: field(
      z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]*$/, 'a profile is named like split-8: small letters, digits and hyphens')
        .nullable()
        .default(null),
      'How the GPUs are divided between the roles; null: chosen by the host.',
      'split-8',
    ),
    model: field(modelSpecSchema, 'What is trained.', { name: 'Qwen/Qwen3-VL-32B-Instruct' }),
    data: field(dataSpecSchema.prefault({}), 'What it learns from.', { train_data: 'data/train.jsonl' }),
    environment: field(environmentSpecSchema.prefault({}), 'What the model acts in (GRPO).', { type: 'single_turn' }),
    reward: field(
      z
        .array(rewardSchema)
        .min(1)
        .default([{ name: 'exact', weight: 1 }]),
      'Rewards, summed by weight (GRPO).',
      [{ name: 'exact' }],
    ),
    training: field(trainingSpecSchema.prefault({}), 'How it is trained.', { max_steps: 200 }),
    grpo: field(grpoSpecSchema.prefault({}), 'Options of GRPO.', { kl_coef: 0 }),
    dpo: field(dpoSpecSchema.prefault({}), 'Options of DPO.', { beta: 0.1 }),
    checkpoint: field(checkpointSpecSchema.prefault({}), 'Where it starts from.', {}),
    rollout: field(rolloutSpecSchema.prefault({}), 'How completions are made (GRPO).', { num_rollouts: 4 }),
    inference: field(inferenceSpecSchema.prefault({}), 'What makes the rollouts (GRPO).', { backend: 'vllm' }),
    logging: field(loggingSpecSchema.prefault({}), 'What is logged where.', { level: 'INFO' }),
    monitoring: field(monitoringSpecSchema.prefault({}), 'Trackers.', { enable_wandb: false }),
    recovery: field(recoverySpecSchema.prefault({}), 'What happens by itself after a failure.', { max_restarts: 3 }),
  })
  .meta({ id: 'RunSpec', description: 'A run, as YAML or JSON.' });

/** A spec as the user may write it: most keys optional. */
export type RunSpecInput = z.input<typeof runSpecSchema>;
/** A spec with every default filled in. */
export type RunSpec = z.output<typeof runSpecSchema>;
