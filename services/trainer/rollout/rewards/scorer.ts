import type { PromptExample } from '../../data/readers/prompt-reader.ts';

/** A completion of a task, to be scored. */
export interface Completion {
  readonly text: string;
  readonly tokens: readonly number[];
}

/** One of a run's rewards. */
export interface Scorer {
  /** Under which its metrics are found: `reward/<label>/mean`. */
  readonly label: string;
  /** A score for each completion, in their order; what is no finite number is refused by the caller. */
  score(task: PromptExample, completions: readonly Completion[], signal: AbortSignal): Promise<readonly unknown[]>;
  close(): Promise<void>;
}

/** What is wrong with a reward, in words that follow its name; `index` is the completion it could not score. */
export class ScoringError extends Error {
  override readonly name = 'ScoringError';
  readonly remedy: string;
  readonly index: number | null;

  constructor(message: string, remedy: string, index: number | null = null) {
    super(message);
    this.remedy = remedy;
    this.index = index;
  }
}

/** A reward that is a function of one completion and the answer alone. */
export function pureScorer(label: string, score: (completion: Completion, answer: string) => number): Scorer {
  return {
    label,
    score: async (task, completions) =>
      completions.map((completion, i) => {
        try {
          return score(completion, task.answer ?? '');
        } catch (error) {
          throw error instanceof ScoringError ? new ScoringError(error.message, error.remedy, i) : error;
        }
      }),
    close: async () => {},
  };
}
