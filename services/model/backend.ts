import { chooseEngine } from './engines/choose-engine.ts';
import type { Engine } from './engines/engine.ts';
import { findAddons, seesGpu } from './engines/find-addons.ts';
import { startNativeEngine } from './engines/native-engine.ts';
import { startWasmEngine } from './engines/wasm-engine.ts';

export type { Engine, EngineName } from './engines/engine.ts';

export interface EngineOptions {
  /** `auto`, `gpu`, `node` or `wasm`. Default: the environment variable TANDEM_TF, else `auto`. */
  readonly engine?: string;
  readonly memoryLimitBytes?: number;
}

/**
 * Starts the engine of this process. tfjs has one at a time: the one that was started last computes.
 *
 * @throws ModelError `engine_unavailable` when the engine is unknown, cannot be had here, does not start, or multiplies wrongly.
 */
export async function startEngine({ engine, memoryLimitBytes }: EngineOptions = {}): Promise<Engine> {
  const { env, versions } = process;
  const node = Number(versions.node.split('.')[0]);
  const choice = chooseEngine(engine ?? (env['TANDEM_TF'] || 'auto'), {
    addons: findAddons(env),
    gpu: seesGpu(env),
    node,
  });
  const { name, addon, reason } = choice;
  if (name === 'wasm' || addon === null) return startWasmEngine(reason, memoryLimitBytes);
  return startNativeEngine({ name, addon, reason, memoryLimitBytes });
}
