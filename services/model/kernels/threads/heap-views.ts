/** Memory of the engine that all its threads have. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
  grow(pages: number): number;
}

/** Views of it, by address. */
export interface Heap {
  readonly memory: SharedMemory;
  floats(at: number, length: number): Float32Array;
  doubles(at: number, length: number): Float64Array;
}

export function heapOf(memory: SharedMemory): Heap {
  const upTo = (end: number) => {
    // A thread may not have heard yet that another has made the memory grow.
    if (end > memory.buffer.byteLength) memory.grow(0);
    return memory.buffer;
  };
  return {
    memory,
    floats: (at, length) => new Float32Array(upTo(at + 4 * length), at, length),
    doubles: (at, length) => new Float64Array(upTo(at + 8 * length), at, length),
  };
}
