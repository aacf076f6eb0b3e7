import { ModelError } from '../../contracts/model-error.ts';
import type { EngineName } from './engine.ts';
import type { Addons } from './find-addons.ts';

/** What a machine has to compute with. */
export interface Machine {
  readonly addons: Addons;
  /** Whether this process was given a GPU. */
  readonly gpu: boolean;
  /** Major version. */
  readonly node: number;
}

/** The engine to start. */
export interface Choice {
  readonly name: EngineName;
  /** Absolute path; null for wasm. */
  readonly addon: string | null;
  /** For the log. */
  readonly reason: string;
}

const ENGINES = ['auto', 'gpu', 'node', 'wasm'];
/** tfjs-node calls functions that Node 23 has dropped. */
const NEWEST_NODE = 22;

/**
 * The engine that TANDEM_TF asks for. `auto` takes the fastest that is there: a GPU, TensorFlow on processor cores, wasm.
 * A CUDA build of TensorFlow computes on cores as well, where no GPU was given.
 *
 * @throws ModelError `engine_unavailable`, with the remedy, when what was asked for by name cannot be had: nothing else takes its place
 */
export function chooseEngine(wanted: string, { addons, gpu, node }: Machine): Choice {
  if (!ENGINES.includes(wanted))
    throw unavailable(wanted, `there is no such engine; it is one of ${ENGINES.join(', ')}`);
  const asked = `TANDEM_TF=${wanted}`;
  if (wanted === 'wasm') return { name: 'wasm', addon: null, reason: asked };

  const onCores = addons.cpu ?? addons.cuda;
  const tooNew = node > NEWEST_NODE ? `tfjs-node runs on Node 20 and 22, and this is Node ${node}` : null;
  if (wanted === 'gpu') {
    if (tooNew) throw unavailable(wanted, tooNew);
    if (addons.cuda === null) throw unavailable(wanted, `no TensorFlow with CUDA is installed: ${remedy('--cuda')}`);
    if (!gpu) throw unavailable(wanted, 'this process was given no GPU: choose a GPU profile with one for the trainer');
    return { name: 'gpu', addon: addons.cuda, reason: asked };
  }
  if (wanted === 'node') {
    if (tooNew) throw unavailable(wanted, tooNew);
    if (onCores === null) throw unavailable(wanted, `no TensorFlow is installed: ${remedy('--cpu')}`);
    return { name: 'node', addon: onCores, reason: asked };
  }

  if (tooNew) return { name: 'wasm', addon: null, reason: tooNew };
  if (gpu && addons.cuda !== null)
    return { name: 'gpu', addon: addons.cuda, reason: 'a GPU and TensorFlow with CUDA are there' };
  if (onCores === null) return { name: 'wasm', addon: null, reason: 'no TensorFlow is installed' };
  const without = gpu ? 'TensorFlow without CUDA is installed' : 'TensorFlow is installed, and no GPU was given';
  return { name: 'node', addon: onCores, reason: without };
}

/**
 * What `auto` takes after an engine that is there and did not start: a driver older than CUDA, a C library older than TensorFlow's.
 * @param why the message of what it threw
 */
export function chooseInstead(failed: EngineName, { addons }: Machine, why: string): Choice {
  const reason = `${failed} did not start: ${why}`;
  const onCores = addons.cpu ?? addons.cuda;
  if (failed === 'gpu' && onCores !== null) return { name: 'node', addon: onCores, reason };
  return { name: 'wasm', addon: null, reason };
}

function remedy(variant: string): string {
  return `run ./scripts/install-tensorflow.sh ${variant}, or use TANDEM_TF=auto`;
}

function unavailable(wanted: string, why: string): ModelError {
  return new ModelError('engine_unavailable', `TANDEM_TF=${wanted}: ${why}`);
}
