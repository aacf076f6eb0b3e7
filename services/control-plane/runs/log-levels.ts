import type { LogLevels } from '../../contracts/agent-operations.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';

/** The level of each component, as a spec's `logging` says. */
export function logLevelsOf({ logging }: RunSpec): LogLevels {
  return {
    training: logging.training_log_level ?? logging.level,
    rollout: logging.rollout_log_level ?? logging.level,
    eval: logging.eval_log_level ?? logging.level,
    performance: logging.performance_log_level ?? logging.level,
  };
}
