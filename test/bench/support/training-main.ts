import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs';
import { ModelError } from '../../../services/contracts/model-error.ts';
import { startEngine } from '../../../services/model/backend.ts';
import { createKernels } from '../../../services/model/kernels/create-kernels.ts';
import { readPeftAdapter } from '../../../services/model/peft.ts';
import { meterHeap } from '../../../services/model/testing/heap-meter.ts';
import { matmulPeak } from './matmul-peak.ts';
import { timeMatmuls } from './matmul-time.ts';
import { timed } from './measure.ts';
import { createPlainKernels } from './plain-kernels.ts';
import type { EngineEnd, EngineStart } from './step-process.ts';
import { type BenchMethod, benchMethods } from './step-shape.ts';
import { createTrainingStep } from './training-step.ts';

/**
 * Usage: `training-main.js <engine> <model directory> <adapter directory> [checkpointing]`; `plain`: the kernels of `plain-kernels.ts` on tfjs's cpu backend; `checkpointing`: with
 * `training.gradient_checkpointing`. Makes a step for each line of its input that names a method, as `step-process.ts` has it.
 */
const [engineName, directory, adapterDirectory, checkpointing] = process.argv.slice(2) as [
  string,
  string,
  string,
  string?,
];
const say = (line: object) => console.log(JSON.stringify(line));

const kernels = await startKernels();
if (kernels !== null) {
  const meter = tf.getBackend() === 'wasm' ? meterHeap() : null;
  const { weights } = await readPeftAdapter(adapterDirectory);
  const options = { checkpointLayers: checkpointing === 'checkpointing', adapter: weights };
  const step = await createTrainingStep(directory, kernels, options);
  say({ version: `tfjs ${tf.version['tfjs']}`, flops: step.flops } satisfies EngineStart);
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'end') break;
    if (!isMethod(line)) throw new Error(`no method is called ${line}`);
    say({ loss: await step[line]() });
  }
  const engineMib = meter && meter.peak().top / 2 ** 20;
  meter?.end();
  const peakMib = process.resourceUsage().maxRSS / 1024;
  const matmulTimeShare = meter && (await profile(step.sft));
  say({ peakMib, engineMib, matmulTimeShare, matmulPeak: matmulPeak(kernels) } satisfies EngineEnd);
  process.stdin.destroy();
}

/** Null, and said so, where the engine cannot be had. */
async function startKernels() {
  if (engineName === 'plain') {
    await tf.setBackend('cpu');
    if (tf.getBackend() !== 'cpu') throw new Error(`tfjs is on ${tf.getBackend()}`);
    return createPlainKernels();
  }
  try {
    return createKernels(await startEngine({ engine: engineName }));
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    say({ unavailable: error.message });
    return null;
  }
}

/** Of an SFT step. */
async function profile(work: () => Promise<number>): Promise<number> {
  const matmul = timeMatmuls();
  const total = await timed(work);
  return matmul.stop() / total;
}

function isMethod(line: string): line is BenchMethod {
  return (benchMethods as readonly string[]).includes(line);
}
