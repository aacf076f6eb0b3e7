import type { PromptExample } from '../../data/readers/prompt-reader.ts';
import type { Completion } from './scorer.ts';

/** What rewards outside the trainer are given: lists with one entry for each completion. */
export interface ScoringRequest {
  readonly completions: readonly string[];
  /** Their tokens, as they were sampled: with the end token where there is one. */
  readonly completion_ids: readonly (readonly number[])[];
  /** As the data has them: text, or a list of messages. */
  readonly prompts: readonly unknown[];
  readonly answers: readonly (string | null)[];
  /** Further columns of the row. */
  readonly columns: Readonly<Record<string, readonly unknown[]>>;
}

export function scoringRequest(
  { source, answer, columns }: PromptExample,
  completions: readonly Completion[],
): ScoringRequest {
  const each = <T>(value: T): T[] => completions.map(() => value);
  return {
    completions: completions.map(({ text }) => text),
    completion_ids: completions.map(({ tokens }) => tokens),
    prompts: each(source),
    answers: each(answer),
    columns: Object.fromEntries(Object.entries(columns).map(([name, value]) => [name, each(value)])),
  };
}
