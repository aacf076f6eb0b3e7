import { EngineOutOfMemory } from '../errors.ts';

/** What this room uses of tfjs-node's compiled addon. */
export interface Binding {
  /** As `2.21.0`. */
  readonly TF_Version: string;
  isUsingGpuDevice(): boolean;
  executeOp(name: string, attributes: readonly unknown[], inputs: readonly number[], outputs: number): unknown;
  /** Waits for what leads to the tensor; an error of that comes here. */
  tensorDataSync(tensor: number): unknown;
}

/** TF_RESOURCE_EXHAUSTED, as the addon writes it. */
const EXHAUSTED = /^Invalid TF_Status: 8\b/m;

/** The same addon, whose operations throw `EngineOutOfMemory` when TensorFlow finds no memory. */
export function sayOutOfMemory(binding: Binding): Binding {
  const inOurWords = <T>(what: string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (error instanceof Error && EXHAUSTED.test(error.message)) throw new EngineOutOfMemory(what, error);
      throw error;
    }
  };
  const said: Pick<Binding, 'executeOp' | 'tensorDataSync'> = {
    executeOp: (name, ...rest) => inOurWords(name, () => binding.executeOp(name, ...rest)),
    tensorDataSync: (tensor) => inOurWords('what leads to a tensor', () => binding.tensorDataSync(tensor)),
  };
  // A new object over the addon's, whose functions are read-only.
  return Object.create(binding, Object.getOwnPropertyDescriptors(said)) as Binding;
}
