export interface SftLoss {
  /** Nats per completion token, to be minimised. */
  readonly loss: number;
  /** d loss / d `logprobs`. */
  readonly gradLogprobs: Float32Array;
  readonly metrics: { readonly tokens: number };
}

/**
 * The supervised loss: cross entropy as a mean over completion tokens, `loss = -1/totalTokens * sum_t logprobs_t`. Prompt tokens are not
 * among them.
 *
 * @param logprobs the policy's logprob of each completion token, at temperature 1.
 * @param totalTokens completion tokens of the whole batch, over all parts and accumulated batches; losses and gradients of the parts then
 *   add up to the batch's, however it was divided.
 * @throws RangeError when `totalTokens` is below 1 or below the number of logprobs.
 */
export function sftLoss(logprobs: Float32Array, totalTokens: number): SftLoss {
  if (!(totalTokens >= Math.max(1, logprobs.length))) {
    throw new RangeError(
      `totalTokens is ${totalTokens}; it counts the completion tokens of the whole batch, here at least ${Math.max(1, logprobs.length)}`,
    );
  }
  let sum = 0;
  for (let t = 0; t < logprobs.length; t++) sum += logprobs[t]!;
  return {
    loss: -sum / totalTokens,
    gradLogprobs: new Float32Array(logprobs.length).fill(-1 / totalTokens),
    metrics: { tokens: logprobs.length },
  };
}
