import { EngineOutOfMemory } from '../errors.ts';

/** What this room uses of tfjs-node's compiled addon. */
export interface Binding {
  /** As `2.21.0`. */
  readonly TF_Version: string;
  isUsingGpuDevice(): boolean;
  executeOp(name: string, attributes: readonly unknown[], inputs: readonly number[], outputs: number): unknown;
  /** Waits for what leads to the tensor. */
  tensorDataSync(tensor: number): unknown;
  createTensor(shape: readonly number[], type: number, values: unknown): unknown;
}

/** TF_RESOURCE_EXHAUSTED, as the addon writes it. */
const EXHAUSTED = /^Invalid TF_Status: 8\b/m;

/** The same addon, whose functions throw `EngineOutOfMemory` when TensorFlow finds no memory. With the queue that is told by whatever is asked for next. */
export function sayOutOfMemory(binding: Binding): Binding {
  const inOurWords = <A extends unknown[], T>(work: (...args: A) => T, what: (first: A[0]) => string) => {
    return (...args: A): T => {
      try {
        return work(...args);
      } catch (error) {
        if (error instanceof Error && EXHAUSTED.test(error.message)) throw new EngineOutOfMemory(what(args[0]), error);
        throw error;
      }
    };
  };
  const said: Pick<Binding, 'executeOp' | 'tensorDataSync' | 'createTensor'> = {
    executeOp: inOurWords(binding.executeOp.bind(binding), (name) => `${name}, or what was asked for before it`),
    tensorDataSync: inOurWords(binding.tensorDataSync.bind(binding), () => 'what leads to a tensor'),
    createTensor: inOurWords(binding.createTensor.bind(binding), () => 'a tensor of given values'),
  };
  // A new object over the addon's, whose functions are read-only.
  return Object.create(binding, Object.getOwnPropertyDescriptors(said)) as Binding;
}
