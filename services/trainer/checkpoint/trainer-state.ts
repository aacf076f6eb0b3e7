import { z } from 'zod';
import { type TrainingState, trainingStateSchema } from '../../contracts/checkpoint.ts';
import { readCheckpointJson } from './read-json.ts';

/** What is read of `trainer_state.json`; absent and null keys read as 0, 0.0 and null. */
const trainerStateSchema = z.object({
  global_step: z.int().min(0).nullish(),
  epoch: z.number().min(0).nullish(),
  best_metric: z.number().nullish(),
  best_model_checkpoint: z.string().nullish(),
  log_history: z.array(z.looseObject({ step: z.int().nullish() })).nullish(),
});

/**
 * The training state in a `trainer_state.json` of the Hugging Face Trainer. It counts finished steps and the epoch, and not where in the epoch's data it
 * stands: the order of its data is its own.
 *
 * @throws CheckpointError `invalid_file` naming the field.
 */
export async function readTrainerState(file: string): Promise<TrainingState> {
  const state = await readCheckpointJson(file, trainerStateSchema);
  const epoch = state.epoch ?? 0;
  const evaluations = (state.log_history ?? []).filter((row) =>
    Object.keys(row).some((key) => key.startsWith('eval_')),
  );
  return trainingStateSchema.parse({
    global_step: state.global_step ?? 0,
    epoch,
    best_metric: state.best_metric ?? null,
    best_model_path: state.best_model_checkpoint ?? null,
    policy_version: state.global_step ?? 0,
    data_position: { epoch: Math.floor(epoch), offset: 0 },
    last_eval_step: evaluations.at(-1)?.step ?? null,
  });
}
