import { z } from 'zod';

/**
 * Why a run has the status it has, grouped by who says so. Status is small, the reason is rich (DESIGN 4.3).
 */
export const reasonGroups = {
  /** a user asked for it */
  user: ['submitted', 'imported', 'resumed', 'pause_requested', 'paused', 'cancel_requested', 'cancelled'],
  /** the queue and the control plane */
  control_plane: [
    'waiting_for_slot',
    'waiting_for_gpus',
    'waiting_to_restart',
    'fetching_model',
    'preempted',
    'starting_inference',
    'starting_trainer',
    'training',
  ],
  /** training ended as it should */
  done: ['completed', 'early_stopped', 'target_accuracy_reached'],
  /** the user's input or code: a retry cannot help */
  user_error: [
    'invalid_model',
    'invalid_data',
    'invalid_checkpoint',
    'invalid_spec',
    'reward_error',
    'nan_loss',
    'installation_broken',
    'user_error',
  ],
  /** does not fit: a retry helps only with other settings */
  memory: ['oom_gpu', 'oom_host'],
  /** the machine or a program: a retry can help */
  infrastructure: [
    'trainer_killed',
    'trainer_lost',
    'trainer_crashed',
    'inference_failed',
    'start_timeout',
    'ready_timeout',
    'image_unavailable',
    'gpu_unavailable',
    'stop_timeout',
    'host_rebooted',
    'disk_full',
    'load_timeout',
    'hang',
    'evaluation_timeout',
    'save_timeout',
    'nccl',
    'vllm_unhealthy',
    'model_unavailable',
    'control_plane_error',
  ],
} as const;

export type ReasonGroup = keyof typeof reasonGroups;
export type Reason = (typeof reasonGroups)[ReasonGroup][number];

export const reasons = Object.values(reasonGroups).flat() as [Reason, ...Reason[]];
export const reasonSchema = z
  .enum(reasons)
  .meta({ id: 'Reason', description: 'Why a run or an attempt is where it is.', example: 'training' });

const groupByReason = new Map<string, ReasonGroup>(
  Object.entries(reasonGroups).flatMap(([group, names]) => names.map((name) => [name, group as ReasonGroup] as const)),
);

/** Who says so. */
export function groupOf(reason: Reason): ReasonGroup {
  return groupByReason.get(reason) as ReasonGroup;
}

/** Exit codes by which a trainer says what its `failed` event says, for the case that the event is lost. sysexits.h where it has one. */
export const exitReasons: Readonly<Record<number, Reason>> = {
  64: 'invalid_spec',
  65: 'invalid_data',
  66: 'invalid_model',
  67: 'invalid_checkpoint',
  68: 'nan_loss',
  69: 'inference_failed',
  70: 'trainer_crashed',
  71: 'oom_host',
  72: 'oom_gpu',
  73: 'disk_full',
  74: 'reward_error',
  75: 'vllm_unhealthy',
  78: 'installation_broken',
};

export type Failure = (typeof reasonGroups)['user_error' | 'memory' | 'infrastructure'][number];

/** What a user can do, where whoever noticed the failure does not know better. */
export const remedies: Readonly<Record<Failure, string>> = {
  invalid_model: 'Point model.name at a complete Hugging Face directory of a supported architecture.',
  invalid_data: 'Mend the lines of the data set that are named, then resume.',
  invalid_checkpoint: 'Resume from another checkpoint (GET /runs/{id}/checkpoints), or set training.start_fresh: true.',
  invalid_spec: 'Change the setting that is named, then resume with overrides or submit again.',
  reward_error: 'Mend the reward, or choose another one under reward, then resume.',
  nan_loss: 'Resume from an earlier checkpoint with a lower training.learning_rate, or a lower training.max_grad_norm.',
  installation_broken: 'Run `npm ci` and `npm run build` in the Tandem directory, then resume.',
  user_error: 'Mend what the message names, then resume.',
  oom_gpu:
    'Lower training.batch_size (4 to 2), model.lora.r (16 to 8), inference.vllm.gpu_memory_utilization (0.85 to 0.7) or rollout.concurrency (4 to 2), then resume.',
  oom_host:
    'Lower training.batch_size (4 to 2), model.max_seq_length or rollout.concurrency (4 to 2), end other programs, or use a machine with more memory, then resume.',
  trainer_killed: 'When nobody ended it, look at the log of the machine (dmesg, journalctl).',
  trainer_lost:
    'Look whether somebody removed its workspace or ended all programs of a session; under systemd set KillMode=process.',
  trainer_crashed: 'Look at what it printed (TANDEM_HOME/output/<run>/); report it if it comes back after a resume.',
  inference_failed: 'Look at what the server printed (TANDEM_HOME/output/<run>/), check its /health, then resume.',
  start_timeout: 'Raise TANDEM_START_TIMEOUT, or recovery.deadlines of the run, if its model takes longer to load.',
  ready_timeout: 'Look at the events of the run for what took so long; raise deadlines.ready of its GPU profile.',
  image_unavailable:
    'Look whether the image is named rightly (TANDEM_IMAGE, TANDEM_VLLM_IMAGE), is on the host (docker images) or can be pulled by it (docker pull).',
  gpu_unavailable:
    'Look whether `docker run --rm --gpus all <image> nvidia-smi` works; install or mend the NVIDIA Container Toolkit.',
  stop_timeout: 'Raise TANDEM_STOP_DEADLINE, or recovery.deadlines.stopping of the run, if saving takes longer.',
  host_rebooted: 'Nothing has to be done; it goes on from its newest checkpoint.',
  disk_full: 'Free space on the disk that is named, then resume.',
  load_timeout: 'Raise recovery.deadlines.loading if model and data take longer to read.',
  hang: 'Raise recovery.hang_factor or recovery.hang_floor_seconds if its steps differ that much.',
  evaluation_timeout: 'Raise recovery.deadlines.evaluation, or evaluate less (training.max_eval_samples).',
  save_timeout: 'Look at the disk; raise recovery.deadlines.saving if it is that slow.',
  nccl: 'Look at the GPUs and their links (nvidia-smi topo -m); NCCL_DEBUG=INFO says more.',
  vllm_unhealthy:
    'Check the /health of the server; raise inference.vllm.timeout (300.0 for slow servers), or lower rollout.concurrency or rollout.max_new_tokens.',
  model_unavailable:
    'Look whether this machine may reach the hub, set HF_ENDPOINT to a mirror, or download the model (hf download) and give its directory; then resume.',
  control_plane_error: "Look at the control plane's log (TANDEM_HOME/logs).",
};

/** Null for a reason that is no failure. */
export function remedyOf(reason: Reason): string | null {
  return reason in remedies ? remedies[reason as Failure] : null;
}
