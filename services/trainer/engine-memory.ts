import type { EngineMemory } from '../contracts/native-memory.ts';
import type { Engine } from '../model/backend.ts';
import { hasFusedOperations } from '../model/kernels/native/fused.ts';

/** What the engine of this process computes in. */
export function engineMemory(engine: Engine): EngineMemory {
  return { engine: engine.name, limitBytes: engine.memoryLimitBytes, fused: hasFusedOperations(engine) };
}
