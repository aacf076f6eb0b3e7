import { adviceLine, adviseMemory, mebibytes } from '../../contracts/memory-advice.ts';
import { type ModelConfig, parseModelConfig } from '../../contracts/model-config.ts';
import type { EngineMemory } from '../../contracts/native-memory.ts';
import type { SpecIssue } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';

/** What there is besides settings where the weights are too much for wasm. */
const NATIVE =
  'or train on TensorFlow, which holds weights once and has the memory of the machine: ./scripts/install-tensorflow.sh (TANDEM_TF=node says that containers have it)';

/**
 * Whether the tfjs trainer's engine has room for the run, by arithmetic: refused where not even the weights fit, and a warning where sequences as long
 * as the spec allows would not, since those of the data may be shorter. Both name the settings that make it fit.
 */
export function judgeMemory(
  config: Readonly<Record<string, unknown>> | null,
  spec: RunSpec,
  memory: EngineMemory | null,
): { issues: SpecIssue[]; warnings: string[] } {
  const sizes = spec.trainer === 'tfjs' && config !== null ? sizesOf(config) : null;
  if (sizes === null || memory === null) return { issues: [], warnings: [] };
  const advice = adviseMemory(sizes, spec, memory);
  if (advice.fits) return { issues: [], warnings: [] };
  if (!advice.hopeless) return { issues: [], warnings: [adviceLine(advice)] };
  const how = advice.remedies.map(({ setting }) => setting).join(', or ');
  const needed = `${mebibytes(advice.fixedBytes)} of the ${mebibytes(memory.limitBytes)} that the tfjs trainer has, before the first example`;
  const instead = memory.engine === 'wasm' ? `, ${NATIVE}` : '';
  const message = `needs ${needed}; ${how === '' ? 'choose a smaller model' : `set ${how}`}${instead}`;
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
