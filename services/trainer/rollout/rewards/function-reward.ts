import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { RewardSpec } from '../../../contracts/run-spec/reward.ts';
import { splitFunction } from '../../../contracts/run-spec/reward.ts';
import { TrainerError } from '../../failure.ts';
import { createFunctionProcess, FunctionFailure } from './function-process.ts';
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
  await program.ready().catch(explained);
  return {
    label,
    async score(task, completions, signal) {
      const scores = await program.call({ ...scoringRequest(task, completions) }, signal).catch(explained);
      if (Array.isArray(scores)) return scores;
      throw new ScoringError(
        `gave ${JSON.stringify(scores)}, not a list of numbers`,
        'Return a list with a number for each completion.',
      );
    },
    close: program.close,
  };
}

function explained(error: unknown): never {
  if (!(error instanceof FunctionFailure)) throw error;
  throw new ScoringError(
    error.message,
    'Mend the function, or raise timeout and memory_mb of the reward, then resume.',
  );
}

/** sha256 over the files, in their order; null where there are none. @throws TrainerError `reward_error` */
export async function hashRewardFiles(files: readonly string[]): Promise<string | null> {
  if (files.length === 0) return null;
  const hash = createHash('sha256');
  for (const file of files) {
    const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
      throw new TrainerError(
        'reward_error',
        `${file} cannot be read (${error.code})`,
        'Put the file of the reward back.',
      );
    });
    hash.update(`${bytes.length}\0`).update(bytes);
  }
  return hash.digest('hex');
}
