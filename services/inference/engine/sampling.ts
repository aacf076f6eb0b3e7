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

/**
 * Filters look at values alone until they know how many stay: sorting numbers is ten times faster than sorting tokens by them. Among equals the
 * lowest ids stay.
 */
function filter(
  { values }: LogitsRow,
  temperature: number,
  { topK, topP, minP }: Pick<SamplingOptions, 'topK' | 'topP' | 'minP'>,
): void {
  const falling = values.slice().sort().reverse();
  let kept = falling.length;
  if (minP > 0) {
    const lowest = falling[0]! + temperature * Math.log(minP);
    kept = countWhile(falling, (value) => value >= lowest);
  }
  if (topK > 0) kept = Math.min(kept, topK);
  if (topP < 1) kept = nucleus(falling.subarray(0, kept), temperature, topP);
  keepHighest(values, falling, kept);
}

/** Leaves the `kept` highest values, of equal ones the first. */
function keepHighest(values: Float32Array, falling: Float32Array, kept: number): void {
  const lowest = falling[kept - 1]!;
  let equals = kept - countWhile(falling, (value) => value > lowest);
  for (let token = 0; token < values.length; token++) {
    const value = values[token]!;
    if (value > lowest || (value === lowest && equals-- > 0)) continue;
    values[token] = Number.NEGATIVE_INFINITY;
  }
}

/** The smallest set of most likely tokens whose probability reaches topP (Holtzman et al., 2020); never empty. */
function nucleus(falling: Float32Array, temperature: number, topP: number): number {
  const weights = new Float64Array(falling.length);
  let total = 0;
  for (let i = 0; i < falling.length; i++) {
    weights[i] = Math.exp((falling[i]! - falling[0]!) / temperature);
    total += weights[i]!;
  }
  let sum = 0;
  const smaller = countWhile(weights.subarray(0, -1), (weight) => {
    sum += weight;
    return sum < topP * total;
  });
  return 1 + smaller;
}

function countWhile(items: Float32Array | Float64Array, holds: (item: number) => boolean): number {
  let count = 0;
  while (count < items.length && holds(items[count]!)) count++;
  return count;
}
