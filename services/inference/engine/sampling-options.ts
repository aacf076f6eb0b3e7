/** How the tokens of one request are chosen. Names and meanings are vLLM's; every value is resolved and checked. */
export interface SamplingOptions {
  /** 0 means greedy. */
  readonly temperature: number;
  /** 0: off. */
  readonly topK: number;
  /** 1: off. */
  readonly topP: number;
  /** 0: off. */
  readonly minP: number;
  readonly seed: bigint;
  readonly maxTokens: number;
  /** Before this many tokens neither an end token nor a stop string ends the completion. */
  readonly minTokens: number;
  readonly eosTokenIds: readonly number[];
  readonly ignoreEos: boolean;
  readonly stopTokenIds: readonly number[];
  readonly stop: readonly string[];
  readonly includeStopInOutput: boolean;
  readonly skipSpecialTokens: boolean;
  /** How many most likely tokens to report beside each sampled one; null: no logprobs at all. */
  readonly logprobs: number | null;
  /** The same for the tokens of the prompt. */
  readonly promptLogprobs: number | null;
}
