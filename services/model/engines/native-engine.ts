import { createRequire } from 'node:module';
import { ModelError } from '../../contracts/model-error.ts';
import { EngineOutOfMemory } from '../errors.ts';
import * as tf from '../tf.ts';
import { checkProducts } from './check-products.ts';
import type { Engine } from './engine.ts';
import { gpuMemory, hostMemory, type MemoryGuard } from './native-memory.ts';
import { type Binding, sayOutOfMemory } from './tensorflow-errors.ts';
import { threadCount } from './thread-count.ts';

/** The name under which tfjs-node's kernels are registered. */
const BACKEND = 'tensorflow';
/** Its JavaScript is that of tfjs-node as well; the package of that name differs in what its scripts download. */
const PACKAGE = '@tensorflow/tfjs-node-gpu';

/** What TensorFlow reads when it is loaded, and once only. Who sets a variable himself is obeyed. */
const SETTINGS: Readonly<Record<string, string>> = {
  // The same sums in the same order every time: without it, some kernels of GPUs add in the order in which threads come by.
  TF_DETERMINISTIC_OPS: '1',
  // Else products on a GPU keep 10 bits of each factor.
  NVIDIA_TF32_OVERRIDE: '0',
  // Else the first tensor takes the whole GPU.
  TF_FORCE_GPU_ALLOW_GROWTH: 'true',
  // Warnings and errors.
  TF_CPP_MIN_LOG_LEVEL: '1',
  // Our operations call it from threads of their own; it would start as many for itself.
  OPENBLAS_NUM_THREADS: '1',
};

/** Besides, on cores. */
function settingsOnCores(threads: string | undefined): Readonly<Record<string, string>> {
  const count = String(threadCount(threads));
  return {
    // TensorFlow computes while JavaScript goes on to the next operations (scripts/tensorflow/ahead.cc).
    TANDEM_TF_AHEAD: '1',
    // Of our operations (scripts/tensorflow/workers.cc), and of TensorFlow's own.
    TANDEM_TF_THREADS: count,
    ...(threads && { TF_NUM_INTRAOP_THREADS: count }),
  };
}

/** The part of tfjs-node's backend that is used here; the package's types need its entry point. */
interface NativeBackend extends tf.KernelBackend {
  /** Gives their values to TensorFlow, where that has not been done. */
  getInputTensorIds(tensors: readonly { readonly dataId: tf.DataId }[]): number[];
}

export interface NativeStart {
  readonly name: 'node' | 'gpu';
  /** Absolute path of the compiled addon. */
  readonly addon: string;
  readonly reason: string;
  readonly memoryLimitBytes?: number | undefined;
}

/**
 * Starts tfjs on TensorFlow, by the addon of tfjs-node and its kernels, without the package's entry point: that would look for the addon inside
 * node_modules. TensorFlow lives as long as the process; later calls give the same engine.
 *
 * @throws ModelError `engine_unavailable` when the addon does not load, has no GPU where one was asked for, does not compute, or multiplies wrongly.
 */
export async function startNativeEngine({ name, addon, reason, memoryLimitBytes }: NativeStart): Promise<Engine> {
  const started = tf.findBackend(BACKEND) as tf.KernelBackend | null | undefined;
  const binding = started ? bindingOf(started) : register(addon, name);
  if (!(await tf.setBackend(BACKEND))) {
    throw new ModelError('engine_unavailable', `tfjs did not start on TensorFlow; it is on ${tf.getBackend()}`);
  }
  if (name === 'gpu' && !binding.isUsingGpuDevice()) {
    throw new ModelError(
      'engine_unavailable',
      `TensorFlow ${binding.TF_Version} (${addon}) finds no GPU it can use: compare its CUDA version with the one nvidia-smi shows, or use TANDEM_TF=node`,
    );
  }
  if (name === 'node' && binding.isUsingGpuDevice()) {
    throw new ModelError('engine_unavailable', 'TensorFlow computes on a GPU in this process already');
  }
  checkOperations(name);
  const memory: MemoryGuard = name === 'gpu' ? gpuMemory(memoryLimitBytes) : hostMemory(memoryLimitBytes);
  return { name, version: binding.TF_Version, reason, usedBytes, ...memory };
}

function register(addon: string, name: NativeStart['name']): Binding {
  if (name === 'node') process.env['CUDA_VISIBLE_DEVICES'] = '';
  const settings = { ...SETTINGS, ...(name === 'node' && settingsOnCores(process.env['TANDEM_THREADS'])) };
  for (const [variable, value] of Object.entries(settings)) process.env[variable] ??= value;
  const load = createRequire(import.meta.url);
  try {
    const binding = sayOutOfMemory(load(addon) as Binding);
    load(`${PACKAGE}/dist/register_all_kernels`);
    const { NodeJSKernelBackend } = load(`${PACKAGE}/dist/nodejs_kernel_backend`) as {
      NodeJSKernelBackend: new (binding: Binding, packageName: string) => NativeBackend;
    };
    tf.registerBackend(BACKEND, () => takingValuesAtOnce(new NodeJSKernelBackend(binding, PACKAGE)), 0);
    return binding;
  } catch (error) {
    throw new ModelError(
      'engine_unavailable',
      `TensorFlow does not load (${error instanceof Error ? error.message : String(error)}): run ./scripts/install-tensorflow.sh again, or use TANDEM_TF=wasm`,
      { cause: error },
    );
  }
}

/** A GPU older or newer than what the build was compiled for is found, and its first operation fails. */
function checkOperations(name: string): void {
  try {
    checkProducts(name, { rowsAlone: false });
  } catch (error) {
    if (error instanceof ModelError || error instanceof EngineOutOfMemory) throw error;
    throw new ModelError('engine_unavailable', `TensorFlow does not compute: ${String(error)}`, { cause: error });
  }
}

/**
 * tfjs-node keeps the caller's array until an operation needs the tensor, and gives it away again to who reads the tensor before that. Whoever changes the
 * array, or transfers it to another thread, would change the tensor.
 */
function takingValuesAtOnce(backend: NativeBackend): NativeBackend {
  const keep = backend.write.bind(backend);
  backend.write = (values, shape, dtype) => {
    const dataId = keep(values, shape, dtype);
    if (dtype !== 'string') backend.getInputTensorIds([{ dataId }]);
    return dataId;
  };
  return backend;
}

function bindingOf(backend: tf.KernelBackend): Binding {
  return (backend as unknown as { binding: Binding }).binding;
}

function usedBytes(): number {
  return tf.memory().numBytes;
}
