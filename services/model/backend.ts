import { ModelError } from '../contracts/model-error.ts';
import { type Choice, chooseEngine, chooseInstead, type Machine } from './engines/choose-engine.ts';
import type { Engine } from './engines/engine.ts';
import { findAddons, seesGpu } from './engines/find-addons.ts';
import { startNativeEngine } from './engines/native-engine.ts';
import { threadCount } from './engines/thread-count.ts';
import { startWasmEngine } from './engines/wasm-engine.ts';

export type { Engine, EngineName } from './engines/engine.ts';

export interface EngineOptions {
  /** `auto`, `gpu`, `node` or `wasm`. Default: the environment variable TANDEM_TF, else `auto`. */
  readonly engine?: string;
  /** Of wasm: how many threads compute, from 1. Default: the environment variable TANDEM_THREADS, which `node` goes by too, else one for each core. */
  readonly threads?: string;
  readonly memoryLimitBytes?: number;
  /** Hears of an engine that `auto` found and that did not start. */
  readonly warn?: (message: string) => void;
}

/**
 * Starts the engine of this process. tfjs has one at a time: the one that was started last computes. What is asked for by name starts or is an error;
 * `auto` goes on to the next fastest.
 *
 * @throws ModelError `engine_unavailable` when the engine is unknown, cannot be had here, does not start, or multiplies wrongly.
 */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const { engine, warn } = options;
  const { env, versions } = process;
  const wanted = engine ?? (env['TANDEM_TF'] || 'auto');
  const node = Number(versions.node.split('.')[0]);
  const machine: Machine = { addons: findAddons(env), gpu: seesGpu(env), node };
  let choice = chooseEngine(wanted, machine);
  for (;;) {
    try {
      return await start(choice, options);
    } catch (error) {
      const unavailable = error instanceof ModelError && error.code === 'engine_unavailable';
      if (!unavailable || wanted !== 'auto' || choice.name === 'wasm') throw error;
      const instead = chooseInstead(choice.name, machine, error.message);
      warn?.(`The engine ${choice.name} is there and does not start, so ${instead.name} computes | ${error.message}`);
      choice = instead;
    }
  }
}

function start({ name, addon, reason }: Choice, { threads, memoryLimitBytes }: EngineOptions): Promise<Engine> {
  if (name === 'wasm' || addon === null) {
    return startWasmEngine({
      reason,
      threads: threadCount(threads ?? process.env['TANDEM_THREADS']),
      memoryLimitBytes,
    });
  }
  return startNativeEngine({ name, addon, reason, memoryLimitBytes });
}
