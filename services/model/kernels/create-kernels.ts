import { ModelError } from '../../contracts/model-error.ts';
import type { Engine } from '../backend.ts';
import type { Kernels } from './kernels.ts';
import { createWasmKernels } from './wasm-kernels.ts';

/** The kernels written for an engine. */
export function createKernels(engine: Engine): Kernels {
  if (engine.name === 'wasm') return createWasmKernels(engine);
  throw new ModelError('engine_unavailable', `TANDEM_TF: there are no kernels for the engine ${engine.name} yet`);
}
