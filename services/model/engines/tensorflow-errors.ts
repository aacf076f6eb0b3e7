import { EngineOutOfMemory } from '../errors.ts';

/** What this room uses of tfjs-node's compiled addon. */
export interface Binding {
  /** As `2.21.0`. */
  readonly TF_Version: string;
  isUsingGpuDevice(): boolean;
  executeOp(name: string, attributes: readonly unknown[], inputs: readonly number[], outputs: number): unknown;
}

/** TF_RESOURCE_EXHAUSTED, as the addon writes it. */
const EXHAUSTED = /^Invalid TF_Status: 8\b/m;

/** The same addon, whose operations throw `EngineOutOfMemory` when TensorFlow finds no memory. */
export function sayOutOfMemory(binding: Binding): Binding {
  return Object.create(binding, {
    executeOp: {
      value(...args: Parameters<Binding['executeOp']>): unknown {
        try {
          return binding.executeOp(...args);
        } catch (error) {
          if (error instanceof Error && EXHAUSTED.test(error.message)) throw new EngineOutOfMemory(args[0], error);
          throw error;
        }
      },
    },
  }) as Binding;
}
