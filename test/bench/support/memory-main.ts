import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseModelConfig } from '../../../services/contracts/model-config.ts';
import { resolveRunSpec } from '../../../services/contracts/resolve-run-spec.ts';
import { type Engine, startEngine } from '../../../services/model/backend.ts';
import { meterHeap } from '../../../services/model/testing/heap-meter.ts';
import { meterTensors } from '../../../services/model/testing/tensor-meter.ts';
import * as tf from '../../../services/model/tf.ts';
import { makeTinyModel, randomWeights } from '../../../services/model/tiny-model.ts';
import { saveModel } from '../../../services/model/weights.ts';
import { completionRows } from '../../../services/trainer/learner/completion-rows.ts';
import { createLearner } from '../../../services/trainer/learner/learner.ts';
import { limitsOf, microBatches } from '../../../services/trainer/learner/micro-batches.ts';
import { loadPolicy } from '../../../services/trainer/learner/policy.ts';
import { sftLoss } from '../../../services/trainer/objectives/sft-loss.ts';
import type { MemoryCase } from './memory-cases.ts';

/** Trains two steps as the case says, in a process of its own, on the engine that TANDEM_TF names, and prints what its memory held at most, in bytes. */

const given = JSON.parse(process.argv[2]!) as MemoryCase;
const directory = await mkdtemp(path.join(tmpdir(), 'tandem-memory-'));
try {
  process.stdout.write(JSON.stringify(await measure()));
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function measure() {
  await writeModel();
  const resolved = resolveRunSpec({ ...given.spec, model: { ...given.spec.model, name: directory } });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  const { spec } = resolved;
  const engine = await startEngine();
  const peakBytes = meterOf(engine);
  const withReference = spec.method === 'grpo' && spec.grpo.kl_coef > 0;
  const policy = await loadPolicy({
    engine,
    spec,
    modelDirectory: directory,
    baseAdapterDirectory: null,
    withReference,
  });
  const optimizer = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maxGradNorm: 1 } as const;
  const learner = createLearner({ policy, ...optimizer, dropoutSeed: 1 });
  const { sequences: count, promptTokens, completionTokens } = given.batch;
  const sequences = Array.from({ length: count }, (_, i) => ({
    prompt: Array.from({ length: promptTokens }, (_, j) => (7 * i + 3 * j) % 250),
    completion: Array.from({ length: completionTokens }, (_, j) => (5 * i + 11 * j) % 250),
  }));
  const tokens = count * completionTokens;
  for (let step = 0; step < 2; step++) {
    for (const part of microBatches(sequences, limitsOf(spec.training))) {
      if (withReference) tf.tidy(() => policy.referenceLogprobs(completionRows(part.sequences), 1).dataSync());
      learner.accumulate(part, (logprobs) => sftLoss(logprobs, tokens), { temperature: 1, step });
    }
    learner.update(1e-4);
  }
  return { top: peakBytes() };
}

/** On wasm where the highest tensor ended, with gaps and what the engine keeps beside tensors; on TensorFlow what the tensors held. */
function meterOf({ name }: Engine): () => number {
  if (name !== 'wasm') return meterTensors().peakBytes;
  const heap = meterHeap();
  return () => heap.peak().top;
}

async function writeModel(): Promise<void> {
  const { vocab_size, ...sizes } = given.model;
  await makeTinyModel(directory, sizes);
  const file = path.join(directory, 'config.json');
  const configJson = { ...JSON.parse(await readFile(file, 'utf8')), vocab_size, tie_word_embeddings: given.tied };
  await writeFile(file, JSON.stringify(configJson));
  await saveModel(directory, { configJson, weights: randomWeights(parseModelConfig(configJson), 1), dtype: 'F32' });
}
