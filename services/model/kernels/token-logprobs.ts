/** Of one row of logits, in nats: log of the softmax's denominator, log-probability of the target, entropy. */
export interface RowStatistics {
  readonly logTotal: number;
  readonly logprob: number;
  readonly entropy: number;
}

/**
 * Log-softmax of one row of logits divided by `temperature`. The trainer and the server both call this, so equal logits give
 * equal logprobs to the last bit.
 *
 * @param logits row-major [rows, vocabulary]
 * @returns the log of the softmax's denominator: logprob of token t is logits[at + t] / temperature - the result.
 */
export function logSumExp(logits: Float32Array, at: number, vocabulary: number, temperature: number): number {
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = at; i < at + vocabulary; i++) if (logits[i]! > highest) highest = logits[i]!;
  let total = 0;
  for (let i = at; i < at + vocabulary; i++) total += Math.exp((logits[i]! - highest) / temperature);
  return highest / temperature + Math.log(total);
}

/** Logprob of `target` and entropy for one row of logits; `logTotal` is `logSumExp` to the last bit. */
export function rowStatistics(
  logits: Float32Array,
  at: number,
  vocabulary: number,
  target: number,
  temperature: number,
): RowStatistics {
  let highest = Number.NEGATIVE_INFINITY;
  for (let i = at; i < at + vocabulary; i++) if (logits[i]! > highest) highest = logits[i]!;
  let total = 0;
  let moment = 0;
  for (let i = at; i < at + vocabulary; i++) {
    const scaled = (logits[i]! - highest) / temperature;
    const weight = Math.exp(scaled);
    total += weight;
    if (weight > 0) moment += weight * scaled;
  }
  const logTotal = highest / temperature + Math.log(total);
  return {
    logTotal,
    logprob: logits[at + target]! / temperature - logTotal,
    entropy: Math.log(total) - moment / total,
  };
}

/**
 * Fills `out` [2, rows]: first the logprobs of the targets, then the entropies.
 * @param logits [rows, vocabulary]
 * @returns the logs of the softmax's denominators, [rows], for the backward pass.
 */
export function tokenLogprobsForward(
  logits: Float32Array,
  targets: Int32Array,
  temperature: number,
  out: Float32Array,
): Float64Array {
  const rows = targets.length;
  const vocabulary = logits.length / rows;
  const logTotals = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    const statistics = rowStatistics(logits, row * vocabulary, vocabulary, targets[row]!, temperature);
    out[row] = statistics.logprob;
    out[rows + row] = statistics.entropy;
    logTotals[row] = statistics.logTotal;
  }
  return logTotals;
}

/** What the backward pass reads: `dy` and `forward` are [2, rows] as the forward pass filled it. */
export interface TokenLogprobsGradient {
  readonly logits: Float32Array;
  readonly forward: Float32Array;
  readonly logTotals: Float64Array;
  readonly dy: Float32Array;
}

/**
 * Gradient of both statistics: with p the softmax and H the entropy,
 * d logprob / d z_i = ([i = target] - p_i) / temperature and d H / d z_i = -p_i (log p_i + H) / temperature.
 *
 * @param dLogits [rows, vocabulary]
 */
export function tokenLogprobsBackward(
  { logits, forward, logTotals, dy }: TokenLogprobsGradient,
  targets: Int32Array,
  temperature: number,
  dLogits: Float32Array,
): void {
  const rows = targets.length;
  const vocabulary = logits.length / rows;
  for (let row = 0; row < rows; row++) {
    const at = row * vocabulary;
    const dLogprob = dy[row]! / temperature;
    const dEntropy = dy[rows + row]! / temperature;
    const entropy = forward[rows + row]!;
    for (let i = at; i < at + vocabulary; i++) {
      const logprob = logits[i]! / temperature - logTotals[row]!;
      const probability = Math.exp(logprob);
      // A probability that underflowed has no gradient; 0 * -Infinity would be NaN.
      dLogits[i] = probability === 0 ? 0 : -probability * (dLogprob + dEntropy * (logprob + entropy));
    }
    dLogits[at + targets[row]!]! += dLogprob;
  }
}
