import { z } from 'zod';
import { field } from '../field.ts';

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
