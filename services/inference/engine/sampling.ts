import { logSumExp } from '../../model/kernels/token-logprobs.ts';
import { uniform } from '../../model/random.ts';
import type { SamplingOptions } from './sampling-options.ts';

/** One row of logits: `vocabulary` values from `at`. */
export interface LogitsRow {
  readonly values: Float32Array;
  readonly at: number;
  readonly vocabulary: number;
}

/** Which draw of which stream: a completion is a function of weights, prompt, options and this alone. */
export interface Draw {
  readonly seed: bigint;
  readonly prompt: number;
  readonly choice: number;
  readonly position: number;
}

/** The distribution a token is drawn from, and that its logprob is taken of ("processed" logprobs in vLLM's words). */
export interface Distribution extends LogitsRow {
  /** Divisor of the logits; 1 for greedy decoding, as in vLLM. */
  readonly temperature: number;
  /** Log of the softmax's denominator. */
  readonly logTotal: number;
}

/**
 * Applies temperature, min_p, top_k and top_p, in vLLM's order. Filtered tokens and those in `banned` get -Infinity.
 * Without filters the row is used where it lies, and its logprobs are the trainer's own to the last bit.
 */
export function distribution(
  row: LogitsRow,
  options: Pick<SamplingOptions, 'temperature' | 'topK' | 'topP' | 'minP'>,
  banned: readonly number[] = [],
): Distribution {
  const temperature = options.temperature === 0 ? 1 : options.temperature;
  const filters = options.temperature !== 0 && (options.topK > 0 || options.topP < 1 || options.minP > 0);
  const used = filters || banned.length > 0 ? copy(row) : row;
  for (const token of banned) used.values[used.at + token] = Number.NEGATIVE_INFINITY;
  if (filters) filter(used, temperature, options);
  return { ...used, temperature, logTotal: logSumExp(used.values, used.at, used.vocabulary, temperature) };
}

/** Natural logarithm of a token's probability, in float32 as the trainer keeps it. */
export function logprobOf(from: Distribution, token: number): number {
  return Math.fround(from.values[from.at + token]! / from.temperature - from.logTotal);
}

/** The most likely token; the lowest id among equals. */
export function mostLikely({ values, at, vocabulary }: LogitsRow): number {
  let best = 0;
  for (let token = 1; token < vocabulary; token++) if (values[at + token]! > values[at + best]!) best = token;
  return best;
}

/** Inverse transform sampling over the tokens in the order of their ids. */
export function drawToken(from: Distribution, draw: Draw): number {
  const { values, at, vocabulary, temperature, logTotal } = from;
  const target = uniform(draw.seed, draw.prompt, draw.choice, draw.position);
  let sum = 0;
  let last = 0;
  for (let token = 0; token < vocabulary; token++) {
    const probability = Math.exp(values[at + token]! / temperature - logTotal);
    if (probability === 0) continue;
    sum += probability;
    if (sum > target) return token;
    last = token;
  }
  // Rounding can leave the sum just below 1.
  return last;
}

function copy({ values, at, vocabulary }: LogitsRow): LogitsRow {
  return { values: values.slice(at, at + vocabulary), at: 0, vocabulary };
}

function filter(
  row: LogitsRow,
  temperature: number,
  { topK, topP, minP }: Pick<SamplingOptions, 'topK' | 'topP' | 'minP'>,
): void {
  const { values, vocabulary } = row;
  const order = Int32Array.from({ length: vocabulary }, (_, token) => token);
  order.sort((a, b) => values[b]! - values[a]! || a - b);
  let kept = vocabulary;
  if (minP > 0) {
    const lowest = values[order[0]!]! + temperature * Math.log(minP);
    kept = countWhile(order, (token) => values[token]! >= lowest);
  }
  if (topK > 0) kept = Math.min(kept, topK);
  if (topP < 1) kept = nucleus(order.subarray(0, kept), values, temperature, topP);
  for (const token of order.subarray(kept)) values[token] = Number.NEGATIVE_INFINITY;
}

/** The smallest set of most likely tokens whose probability reaches topP (Holtzman et al., 2020); never empty. */
function nucleus(order: Int32Array, values: Float32Array, temperature: number, topP: number): number {
  const highest = values[order[0]!]!;
  const weights = Float64Array.from(order, (token) => Math.exp((values[token]! - highest) / temperature));
  const wanted = topP * weights.reduce((sum, weight) => sum + weight, 0);
  let sum = 0;
  return (
    1 +
    countWhile(weights.subarray(0, -1), (weight) => {
      sum += weight;
      return sum < wanted;
    })
  );
}

function countWhile<T>(items: Iterable<T>, holds: (item: T) => boolean): number {
  let count = 0;
  for (const item of items) {
    if (!holds(item)) break;
    count++;
  }
  return count;
}
