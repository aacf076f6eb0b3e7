import { resolveRunSpec, type SpecIssue } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';

/**
 * Fits the default of `model.max_seq_length` to the model: what the user did not write is lowered to what the model was made for, what
 * the user wrote is refused when it is more.
 */
export function fitSequenceLength(
  spec: RunSpec,
  { limit, isWritten }: { limit: number | null; isWritten: boolean },
): { spec: RunSpec; issues: SpecIssue[] } {
  const { max_seq_length: length } = spec.model;
  if (limit === null || length <= limit) return { spec, issues: [] };
  if (!isWritten) {
    const fitted = { ...spec, model: { ...spec.model, max_seq_length: limit } };
    const checked = resolveRunSpec(fitted);
    return { spec: fitted, issues: checked.ok ? [] : checked.issues };
  }
  const message = `is ${length}, but the model was made for ${limit} tokens (max_position_embeddings); set it to ${limit} or less`;
  return { spec, issues: [{ path: 'model.max_seq_length', message }] };
}

/** `max_position_embeddings` of a model's config, in tokens; null when it does not say. */
export function modelPositions(config: Readonly<Record<string, unknown>> | null): number | null {
  const positions = config?.['max_position_embeddings'];
  return typeof positions === 'number' && positions > 0 ? positions : null;
}
