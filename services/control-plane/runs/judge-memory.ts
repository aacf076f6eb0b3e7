import { adviceLine, adviseMemory, mebibytes } from '../../contracts/memory-advice.ts';
import { type ModelConfig, parseModelConfig } from '../../contracts/model-config.ts';
import type { SpecIssue } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { ENGINE_LIMIT_BYTES } from '../../contracts/training-memory.ts';

/**
 * Whether the tfjs trainer's engine has room for the run, by arithmetic: refused where not even the weights fit, and a warning where sequences as long
 * as the spec allows would not, since those of the data may be shorter. Both name the settings that make it fit.
 */
export function judgeMemory(
  config: Readonly<Record<string, unknown>> | null,
  spec: RunSpec,
): { issues: SpecIssue[]; warnings: string[] } {
  const sizes = spec.trainer === 'tfjs' && config !== null ? sizesOf(config) : null;
  if (sizes === null) return { issues: [], warnings: [] };
  const advice = adviseMemory(sizes, spec);
  if (advice.fits) return { issues: [], warnings: [] };
  if (!advice.hopeless) return { issues: [], warnings: [adviceLine(advice)] };
  const how = advice.remedies.map(({ setting }) => setting).join(', or ');
  const needed = `${mebibytes(advice.estimate.fixedBytes)} of the ${mebibytes(ENGINE_LIMIT_BYTES)} that the tfjs trainer has, before the first example`;
  const message = `needs ${needed}; ${how === '' ? 'choose a smaller model' : `set ${how}`}`;
  return { issues: [{ path: 'model.name', message }], warnings: [] };
}

/** Null for what the trainer does not take: that is said elsewhere. */
function sizesOf(config: Readonly<Record<string, unknown>>): ModelConfig | null {
  try {
    return parseModelConfig(config);
  } catch {
    return null;
  }
}
