import * as tf from '@tensorflow/tfjs';
import { resolveRunSpec } from '../../../services/contracts/resolve-run-spec.ts';
import { startEngine } from '../../../services/model/backend.ts';
import { createLearner } from '../../../services/trainer/learner/learner.ts';
import { limitsOf, microBatches } from '../../../services/trainer/learner/micro-batches.ts';
import { loadPolicy } from '../../../services/trainer/learner/policy.ts';
import { sftLoss } from '../../../services/trainer/objectives/sft-loss.ts';
import { timed } from './measure.ts';

/** What a policy takes in a process of its own. All sizes in MiB. */
export interface PolicyMemory {
  /** Weights and adapter in the engine, after loading. */
  readonly loaded: number;
  /** The engine's whole memory at the end, which never shrinks: weights, the copies that its products make of them, and a step's activations. */
  readonly engine: number;
  /** Outside the engine: packed weights, moments of the optimizer, gradients. */
  readonly outside: number;
  readonly peakRss: number;
  readonly loss: number;
  readonly seconds: number;
  /** Tensors after the first step and after the last. */
  readonly tensors: readonly [number, number];
}

const MIB = 2 ** 20;
/** Few tokens: weights shall be most of what is measured. */
const [STEPS, SEQUENCES, PROMPT, COMPLETION] = [4, 1, 16, 48];

/** Usage: `policy-memory-main.js <model directory> <JSON of the spec's model section>`; prints `PolicyMemory`. */
const [directory, model] = process.argv.slice(2);
const resolved = resolveRunSpec({
  method: 'sft',
  model: { name: 'model', ...JSON.parse(model!) },
  data: { train_data: 'train.jsonl' },
});
if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
const { spec } = resolved;
const engine = await startEngine();
const policy = await loadPolicy({
  ...{ engine, spec, modelDirectory: directory!, baseAdapterDirectory: null, withReference: false },
});
const loaded = engine.usedBytes() / MIB;
const optimizer = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maxGradNorm: 1 } as const;
const learner = createLearner({ policy, ...optimizer, dropoutSeed: 1 });
const sequences = Array.from({ length: SEQUENCES }, (_, n) => ({
  prompt: Array.from({ length: PROMPT }, (_, i) => 3 + ((7 * i + n) % 40)),
  completion: Array.from({ length: COMPLETION }, (_, i) => 3 + ((11 * i + 5 * n) % 40)),
}));

let loss = Number.NaN;
const times: number[] = [];
const tensors: number[] = [];
for (let step = 0; step < STEPS; step++) {
  times.push(await timed(async () => oneStep(step)));
  tensors.push(tf.memory().numTensors);
}
// Views of engine memory that was outgrown still count as buffers until they are collected.
globalThis.gc?.();
const outsideBytes = process.memoryUsage().arrayBuffers;
const figures: PolicyMemory = {
  loaded,
  engine: heapBytes() / MIB,
  outside: outsideBytes / MIB,
  peakRss: process.resourceUsage().maxRSS / 1024,
  loss,
  seconds: Math.min(...times) / 1000,
  tensors: [tensors[0]!, tensors.at(-1)!],
};
console.log(JSON.stringify(figures));

function heapBytes(): number {
  return (tf.backend() as unknown as { wasm: { HEAPU8: Uint8Array } }).wasm.HEAPU8.length;
}

function oneStep(step: number): void {
  let sum = 0;
  for (const part of microBatches(sequences, limitsOf(spec.training))) {
    const objective = (logprobs: Float32Array) => sftLoss(logprobs, SEQUENCES * COMPLETION);
    sum += learner.accumulate(part, objective, { temperature: 1, step }).loss;
  }
  learner.update(1e-4);
  loss = step === 0 ? sum : loss;
}
