import { type Distribution, logprobOf } from './sampling.ts';

/** Logprob and place of one token; rank 1 is the most likely. */
export interface RankedToken {
  readonly token: number;
  readonly logprob: number;
  readonly rank: number;
}

/**
 * What is reported for one position: the chosen token first, then the `top` most likely ones (the chosen one not repeated).
 * Equal logprobs are ordered by token id.
 */
export function rankTokens(from: Distribution, chosen: number, top: number): RankedToken[] {
  const best = topTokens(from, top);
  const ranked = best.map((token, i) => ({ token, logprob: logprobOf(from, token), rank: i + 1 }));
  const first = { token: chosen, logprob: logprobOf(from, chosen), rank: rankOf(from, chosen) };
  return [first, ...ranked.filter(({ token }) => token !== chosen)];
}

/** As vLLM counts: how many tokens are at least as likely. */
function rankOf({ values, at, vocabulary }: Distribution, chosen: number): number {
  const value = values[at + chosen]!;
  let rank = 0;
  for (let i = at; i < at + vocabulary; i++) if (values[i]! >= value) rank++;
  return rank;
}

function topTokens({ values, at, vocabulary }: Distribution, count: number): number[] {
  const before = (a: number, b: number) => values[at + b]! - values[at + a]! || a - b;
  const best: number[] = [];
  for (let token = 0; token < vocabulary && count > 0; token++) {
    if (best.length === count && before(best[count - 1]!, token) < 0) continue;
    let place = best.length;
    while (place > 0 && before(token, best[place - 1]!) < 0) place--;
    best.splice(place, 0, token);
    if (best.length > count) best.pop();
  }
  return best;
}
