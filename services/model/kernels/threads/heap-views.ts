/** Memory of the engine that all its threads have. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

/** Views of it, by address. */
export interface Heap {
  readonly memory: SharedMemory;
  floats(at: number, length: number): Float32Array;
}

export function heapOf(memory: SharedMemory): Heap {
  return {
    memory,
    floats(at, length) {
      // A thread may not have heard yet that another has made the memory grow.
      if (at + 4 * length > memory.buffer.byteLength) memory.grow(0);
      return new Float32Array(memory.buffer, at, length);
    },
  };
}
