import type { Engine } from '../backend.ts';
import type { Kernels } from './kernels.ts';
import { createNativeKernels } from './native-kernels.ts';
import { createWasmKernels } from './wasm-kernels.ts';

/** The kernels written for an engine. */
export function createKernels(engine: Engine): Kernels {
  return engine.name === 'wasm' ? createWasmKernels(engine) : createNativeKernels(engine);
}
