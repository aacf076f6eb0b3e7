/** The next step would not fit the engine's memory. Raised before anything is allocated, so the state is intact. */
export class EngineMemoryError extends Error {
  readonly code = 'engine_memory';
  readonly usedBytes: number;
  readonly neededBytes: number;
  readonly limitBytes: number;

  constructor(sizes: { usedBytes: number; neededBytes: number; limitBytes: number }) {
    const [used, needed, limit] = [sizes.usedBytes, sizes.neededBytes, sizes.limitBytes].map(mebibytes);
    super(
      `the engine holds ${used} MiB and needs ${needed} MiB more, above its limit of ${limit} MiB: ` +
        'lower batch_size, max_seq_length or lora.r, or use a smaller model',
    );
    this.name = 'EngineMemoryError';
    this.usedBytes = sizes.usedBytes;
    this.neededBytes = sizes.neededBytes;
    this.limitBytes = sizes.limitBytes;
  }
}

function mebibytes(bytes: number): number {
  return Math.ceil(bytes / 2 ** 20);
}

/** TensorFlow found no memory in the middle of its work. Training cannot go on from there; from the newest checkpoint it can. */
export class EngineOutOfMemory extends Error {
  readonly code = 'engine_out_of_memory';
  /** Whose memory was full. */
  readonly memory: 'gpu' | 'host';

  /** @param operation the operation of TensorFlow that asked for more */
  constructor(operation: string, cause: Error) {
    super(`TensorFlow ran out of memory in ${operation}: ${cause.message}`, { cause });
    this.name = 'EngineOutOfMemory';
    this.memory = /device:GPU/.test(cause.message) ? 'gpu' : 'host';
  }
}
