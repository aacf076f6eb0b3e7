/** Of the WebAssembly binary format (core specification 2.0, 5.5.8; threads proposal for the flag). */
const [FIRST_SECTION, MEMORY_SECTION] = [8, 5];
const SHARED = 2;

/** The part of the types of WebAssembly that Node.js leaves out. */
interface Instantiates {
  instantiate(code: Uint8Array<ArrayBuffer>, imports: object): Promise<object>;
}
const { WebAssembly: wasm } = globalThis as unknown as { readonly WebAssembly: Instantiates };

/**
 * The same module with a memory that other threads can have too. Its own code neither knows nor cares: it allocates and computes on one thread, as before.
 * @throws Error where it has no memory of its own with a maximum, which a shared one must have
 */
export function withSharedMemory(code: Uint8Array): Uint8Array<ArrayBuffer> {
  const changed = Uint8Array.from(code);
  let at = FIRST_SECTION;
  const number = () => {
    let [value, shift] = [0, 0];
    for (;;) {
      const byte = changed[at++]!;
      value += (byte & 127) * 2 ** shift;
      shift += 7;
      if (byte < 128) return value;
    }
  };
  while (at < changed.length) {
    const section = changed[at++];
    const end = number() + at;
    if (section === MEMORY_SECTION && number() === 1 && changed[at] === 1) {
      changed[at]! |= SHARED;
      return changed;
    }
    at = end;
  }
  throw new Error('the WebAssembly module has no memory of its own that could be shared');
}

/**
 * While `start` runs, modules that are `chosen` by their code get a shared memory when they are instantiated: the engine's loader offers no other place to give it one.
 * Others are none of our business: Node.js 22 loads its HTTP parser so, at any time.
 */
export async function sharingMemory<T>(chosen: (code: Uint8Array) => boolean, start: () => Promise<T>): Promise<T> {
  const { instantiate } = wasm;
  wasm.instantiate = (code, imports) => {
    const bytes = new Uint8Array(code);
    return instantiate.call(wasm, chosen(bytes) ? withSharedMemory(bytes) : code, imports);
  };
  try {
    return await start();
  } finally {
    wasm.instantiate = instantiate;
  }
}
