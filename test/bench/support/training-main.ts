import * as tf from '@tensorflow/tfjs';
import { startEngine } from '../../../services/model/backend.ts';
import { createWasmKernels } from '../../../services/model/kernels/wasm-kernels.ts';
import { meterHeap } from '../../../services/model/testing/heap-meter.ts';
import { matmulPeak } from './matmul-peak.ts';
import { timeMatmuls } from './matmul-time.ts';
import { fastest, timed } from './measure.ts';
import { createPlainKernels } from './plain-kernels.ts';
import { createTrainingStep } from './training-step.ts';

/** What one process measured of one engine. */
export interface TrainingFigures {
  /** Of the first SFT step: what engines that do the same work agree on. */
  readonly sftLoss: number;
  readonly sftSeconds: number;
  /** Null for `cpu`, where a step takes half a minute. */
  readonly grpoSeconds: number | null;
  readonly tokens: number;
  readonly flops: number;
  /** Of the engine's own product of matrices, in floating point operations per second. */
  readonly matmulPeak: number;
  /** Of the time of an SFT step; null for `cpu`. */
  readonly matmulTimeShare: number | null;
  readonly peakMib: number;
  /** Where the highest tensor of the SFT steps ended in the engine's memory; null for `cpu`. */
  readonly engineMib: number | null;
}

/** Usage: `training-main.js wasm|cpu <model directory> <steps> <warm-up steps> [again]`; prints `TrainingFigures`. `again`: gradient checkpointing. */
const [engine, directory, steps, warmup, again] = process.argv.slice(2);
if (engine !== 'wasm' && engine !== 'cpu') throw new Error(`the engine is wasm or cpu, not ${engine}`);
const kernels = engine === 'wasm' ? createWasmKernels(await startEngine({ engine })) : await startPlain();
const meter = engine === 'wasm' ? meterHeap() : null;
const step = await createTrainingStep(directory!, kernels, { checkpointLayers: again === 'again' });

const sft = await measure(step.sft);
const engineMib = meter && meter.peak().top / 2 ** 20;
meter?.end();
const matmulTimeShare = engine === 'wasm' ? await profile() : null;
const grpo = engine === 'wasm' ? await measure(step.grpo) : null;
const figures: TrainingFigures = {
  sftLoss: sft.loss,
  sftSeconds: sft.seconds,
  grpoSeconds: grpo?.seconds ?? null,
  tokens: step.tokens,
  flops: step.flops,
  matmulPeak: matmulPeak(),
  matmulTimeShare,
  peakMib: process.resourceUsage().maxRSS / 1024,
  engineMib,
};
console.log(JSON.stringify(figures));

async function profile(): Promise<number> {
  const matmul = timeMatmuls('wasm');
  const total = await timed(step.sft);
  return matmul.stop() / total;
}

async function startPlain() {
  await tf.setBackend('cpu');
  if (tf.getBackend() !== 'cpu') throw new Error(`tfjs is on ${tf.getBackend()}`);
  return createPlainKernels();
}

async function measure(work: () => Promise<number>): Promise<{ loss: number; seconds: number }> {
  const times: number[] = [];
  let loss: number | undefined;
  for (let i = -Number(warmup); i < Number(steps); i++) {
    const time = await timed(async () => {
      const value = await work();
      loss ??= value;
    });
    if (i >= 0) times.push(time);
  }
  return { loss: loss!, seconds: fastest(times) / 1000 };
}
