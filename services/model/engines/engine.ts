/** wasm: tfjs's own, on every machine. node and gpu: TensorFlow below tfjs-node, on processor cores or on a GPU. */
export type EngineName = 'wasm' | 'node' | 'gpu';

/** The numeric engine of this process. */
export interface Engine {
  readonly name: EngineName;
  /** Of what computes: tfjs for wasm, TensorFlow for the others. */
  readonly version: string;
  /** Why it is this one, in a few words for the log. */
  readonly reason: string;
  readonly memoryLimitBytes: number;
  /** Bytes held by live tensors (a clone counts again). */
  usedBytes(): number;
  /**
   * Call before allocating. Cheap: a few additions while the memory is far from its end.
   * @param blocks bytes of each block; several need not lie side by side.
   * @throws EngineMemoryError when they would not all fit.
   */
  checkMemory(...blocks: readonly number[]): void;
}
