import { z } from 'zod';
import { field } from '../field.ts';

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
    performance_log_level: field(
      logLevelSchema.nullable().default(null),
      'Level of performance lines; null: as `level`.',
      'INFO',
    ),
    verbose: field(
      z.boolean().nullable().default(null),
      'A marker per step, its phases and a group summary; null: as `VERBOSE` says.',
      false,
    ),
  })
  .meta({ id: 'LoggingSpec', description: 'What is logged where.' });
