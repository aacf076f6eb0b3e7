import type { RewardSpec } from '../../../contracts/run-spec/reward.ts';
import { splitFunction } from '../../../contracts/run-spec/reward.ts';
import { createFunctionProcess } from './function-process.ts';
import { type Scorer, ScoringError } from './scorer.ts';
import { scoringRequest } from './scoring-request.ts';

type FunctionSpec = Extract<RewardSpec, { name: 'function' }>;

/**
 * Scores with a function of the user's, one call for the completions of a task. It is loaded at once, so that a file that cannot be is found before training.
 * @param file where it lies here
 * @throws ScoringError
 */
export async function openFunctionReward(spec: FunctionSpec, file: string, label: string): Promise<Scorer> {
  const { name } = splitFunction(spec.function);
  const limits = { timeoutMs: spec.timeout * 1000, memoryMb: spec.memory_mb };
  const program = createFunctionProcess({ file, name, ...limits });
  await program.ready();
  return {
    label,
    async score(task, completions, signal) {
      const scores = await program.call({ ...scoringRequest(task, completions) }, signal);
      if (Array.isArray(scores)) return scores;
      throw new ScoringError(
        `gave ${JSON.stringify(scores)}, not a list of numbers`,
        'Return a list with one number for each completion, in their order.',
      );
    },
    close: program.close,
  };
}
