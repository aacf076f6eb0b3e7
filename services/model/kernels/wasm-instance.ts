/** The types of Node.js leave it out. */
const { WebAssembly: wasm } = globalThis as unknown as {
  readonly WebAssembly: {
    readonly Module: new (code: Uint8Array<ArrayBuffer>) => object;
    readonly Memory: new (limits: {
      readonly initial: number;
      readonly maximum: number;
      readonly shared: true;
    }) => SharedMemory;
    readonly Instance: new (
      module: object,
      imports: Record<string, Record<string, object>>,
    ) => { readonly exports: Record<string, unknown> };
  };
};

interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

export type Run = (...parameters: number[]) => void;

/** The function `run` of a module that `moduleOf` made, on a shared `WebAssembly.Memory`. */
export function instantiate(code: Uint8Array<ArrayBuffer>, memory: object): Run {
  return new wasm.Instance(new wasm.Module(code), { env: { memory } }).exports['run'] as Run;
}

/** A memory for code that does not work on the engine's. @param pages of 64 KiB */
export function ownMemory(pages: number): SharedMemory {
  return new wasm.Memory({ initial: pages, maximum: pages, shared: true });
}
