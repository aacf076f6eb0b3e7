import { mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type TrainingState, trainingStateSchema } from '../../contracts/checkpoint.ts';
import type { ModelConfig } from '../../contracts/model-config.ts';
import { initialLoraWeights, type LoraConfig, type LoraWeights } from '../../model/lora.ts';
import { makeTinyModel } from '../../model/tiny-model.ts';
import { type AdamW, createAdamW } from '../optimizer/adamw.ts';
import { schedulerState } from '../optimizer/schedule.ts';
import { type CheckpointSnapshot, takeSnapshot } from './snapshot.ts';

export const loraConfig: LoraConfig = { r: 2, alpha: 4, dropout: 0, targetModules: ['q_proj', 'v_proj'] };
export const schedule = { type: 'cosine', learningRate: 1e-3, warmupSteps: 2, totalSteps: 50 } as const;
export const optimizerOptions = { betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0 } as const;

/** A tiny model on disk and what 40 steps of LoRA training on it might have left, always the same. For tests. */
export interface TinyTraining {
  readonly config: ModelConfig;
  readonly modelDirectory: string;
  /** A path of its own each time; nothing is there. */
  freshDirectory(): string;
  weights(): LoraWeights;
  optimizer(updates?: number): AdamW;
  /** What `takeSnapshot` is given, except the optimizer. */
  parts(state?: TrainingState): Omit<CheckpointSnapshot, 'optimizer' | 'optimizerOptions'>;
  snapshot(): CheckpointSnapshot;
  remove(): Promise<void>;
}

export async function makeTinyTraining(): Promise<TinyTraining> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'tandem-checkpoint-'));
  const modelDirectory = path.join(root, 'base');
  const config = await makeTinyModel(modelDirectory, { layers: 1, hidden: 16, heads: 2, headDim: 8, intermediate: 24 });
  let directories = 0;
  const weights = () => initialLoraWeights(loraConfig, config, 5);

  function optimizer(updates = 3): AdamW {
    const parameters = [...weights()].map(([name, { shape, data }]) => ({ name, shape, transposed: true, data }));
    const created = createAdamW({ ...optimizerOptions, parameters });
    for (let step = 0; step < updates; step++) {
      const grads = parameters.map(({ data }, i) => data.map((_, j) => Math.sin(i + j + step)));
      created.step(grads, 1e-3);
    }
    return created;
  }

  function parts(state = tinyState()): Omit<CheckpointSnapshot, 'optimizer' | 'optimizerOptions'> {
    return {
      weights: { kind: 'lora', config: loraConfig, weights: weights(), baseModel: 'tiny' },
      modelDirectory,
      scheduler: schedulerState(schedule, 40),
      rng: { seed: 7, draws: [1, null] },
      trainingState: state,
      trainingMetadata: { step: 40, accuracy: null, metrics: { loss: 0.5 }, config: { seed: 7 } },
    };
  }

  return {
    config,
    modelDirectory,
    freshDirectory: () => path.join(root, `checkpoint-${++directories}`),
    weights,
    optimizer,
    parts,
    snapshot: () => takeSnapshot({ ...parts(), optimizer: optimizer() }),
    remove: () => rm(root, { recursive: true }),
  };
}

export function tinyState(): TrainingState {
  return trainingStateSchema.parse({
    global_step: 40,
    epoch: 1.5,
    best_accuracy: 0.65,
    evals_without_improvement: 2,
    policy_version: 38,
  });
}

/** Paths of all files below a directory, sorted. */
export async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)))
    .sort();
}
