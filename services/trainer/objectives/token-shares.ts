import type { GrpoLossType } from './grpo-rules.ts';

/** One completion of the batch. */
export interface CompletionSize {
  /** Trainable tokens; 0 for one that is masked. */
  readonly tokens: number;
  /** Which of the step's accumulated batches it belongs to. */
  readonly part: number;
}

/**
 * The weight of one token of each completion in the loss: the normaliser of every GRPO variant, so that `loss = sum_s share_s sum_t loss_t`
 * adds up however the batch is divided. With S completions, |s| tokens in one and T in all:
 *
 * - `grpo`, `gspo`: `1 / (S |s|)`, a mean over each completion, then over completions (arXiv:2402.03300, eq. 3; arXiv:2507.18071, eq. 5)
 * - `dr_grpo`: `1 / (S maxNewTokens)`, a constant (Liu et al.: "Understanding R1-Zero-like training", arXiv:2503.20783, 3.2)
 * - `dapo`, `cispo`: `1 / T`, a mean over the tokens of the whole step (arXiv:2503.14476, eq. 12; arXiv:2506.13585, eq. 4)
 * - `bnpo`: a mean over the tokens of each accumulated batch, then over those batches (TRL's name). `local` is what
 *   `training.gradient_accumulation_steps` divides a step into, never the micro-batches that memory demands; batches without a trainable
 *   token do not count.
 */
export function tokenShares(
  lossType: GrpoLossType,
  completions: readonly CompletionSize[],
  maxNewTokens: number,
): Float64Array {
  const count = completions.length;
  const total = completions.reduce((sum, { tokens }) => sum + tokens, 0);
  const byPart = new Map<number, number>();
  for (const { part, tokens } of completions) {
    if (tokens > 0) byPart.set(part, (byPart.get(part) ?? 0) + tokens);
  }
  return Float64Array.from(completions, ({ tokens, part }) => {
    if (tokens === 0) return 0;
    switch (lossType) {
      case 'grpo':
      case 'gspo':
        return 1 / (count * tokens);
      case 'dr_grpo':
        return 1 / (count * maxNewTokens);
      case 'dapo':
      case 'cispo':
        return 1 / total;
      case 'bnpo':
        return 1 / (byPart.size * byPart.get(part)!);
    }
  });
}
