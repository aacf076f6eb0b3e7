/**
 * Scales gradients in place so that their global 2-norm is at most `maxNorm`, as `torch.nn.utils.clip_grad_norm_` does, and gives the
 * norm they had. The sum is taken in float64 in the order given, so it is a function of the values and their order alone.
 *
 * A norm that is not finite means the update must not be made: the gradients are then left as they are, for the caller to report.
 */
export function clipGradNorm(grads: readonly Float32Array[], maxNorm: number): number {
  const norm = globalNorm(grads);
  const coefficient = maxNorm / (norm + 1e-6);
  if (!Number.isFinite(norm) || coefficient >= 1) return norm;
  const scale = Math.fround(coefficient);
  for (const grad of grads) {
    for (let i = 0; i < grad.length; i++) grad[i] = grad[i]! * scale;
  }
  return norm;
}

/** The 2-norm of all values together. */
export function globalNorm(grads: readonly Float32Array[]): number {
  let sum = 0;
  for (const grad of grads) {
    for (let i = 0; i < grad.length; i++) sum += grad[i]! * grad[i]!;
  }
  return Math.sqrt(sum);
}
