import { adviseMemory, frugalSettings, listed, mebibytes } from '../contracts/memory-advice.ts';
import type { ModelConfig } from '../contracts/model-config.ts';
import type { EngineMemory } from '../contracts/native-memory.ts';
import type { ProgressRecord } from '../contracts/record.ts';
import type { RunSpec } from '../contracts/run-spec.ts';
import type { EngineMemoryError } from '../model/errors.ts';
import { TrainerError } from './failure.ts';

/** What the engine's refusal means to a user: in which phase and at which step, how much, and which settings need less (requirement L8). */
export function outOfMemory(
  error: EngineMemoryError,
  at: {
    readonly phase: ProgressRecord['phase'];
    readonly step: number;
    readonly spec: RunSpec;
    readonly config: ModelConfig;
    readonly memory: EngineMemory;
  },
): TrainerError {
  const [used, needed, limit] = [error.usedBytes, error.neededBytes, error.limitBytes].map(mebibytes);
  const memory = { ...at.memory, limitBytes: error.limitBytes };
  const advice = adviseMemory(at.config, at.spec, memory);
  const settings = advice.remedies.length > 0 ? advice.remedies : frugalSettings(at.config, at.spec, memory);
  // A checkpoint cannot follow another shape of the adapter, or other weights under it.
  const anew = settings.some(({ setting }) => /model\.(use_|lora\.r)/.test(setting));
  const then = `then resume${anew ? '; model.use_4bit, model.use_lora and model.lora.r need a new run' : ''}`;
  const now = `With sequences of model.max_seq_length ${at.spec.model.max_seq_length} it takes about ${mebibytes(advice.neededBytes)}`;
  return new TrainerError(
    'oom_host',
    `Out of the engine's memory in the phase ${at.phase} of step ${at.step}: it holds ${used} and needs ${needed} more, above its limit of ${limit}`,
    (settings.length === 0 ? 'Use a smaller model.' : `${now}. Set ${listed(settings)}, ${then}.`) +
      (memory.engine === 'wasm'
        ? ' Each thread of the engine takes some more: a smaller TANDEM_THREADS needs less.'
        : ''),
    { cause: error },
  );
}
