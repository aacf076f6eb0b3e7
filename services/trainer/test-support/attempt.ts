import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { AttemptSpec, ResumeCandidate } from '../../contracts/agent-operations.ts';
import { resolveRunSpec } from '../../contracts/resolve-run-spec.ts';
import type { RunSpec } from '../../contracts/run-spec.ts';
import { makeTinyModel } from '../../model/tiny-model.ts';
import type { TestControlPlane } from './control-plane.ts';

/** A tiny model and addition problems, on disk. */
export interface TestTask {
  readonly model: string;
  readonly train: string;
  readonly validation: string;
}

/** Sums of two numbers below `limit`, in an order that looks random; the validation set has none of the training set's. */
export async function writeTestTask(
  directory: string,
  size: { readonly train: number; readonly validation: number; readonly limit: number },
): Promise<TestTask> {
  const task = {
    model: path.join(directory, 'model'),
    train: path.join(directory, 'train.jsonl'),
    validation: path.join(directory, 'val.jsonl'),
  };
  await mkdir(directory, { recursive: true });
  await makeTinyModel(task.model, { seed: 1 });
  const pairs = Array.from({ length: size.limit ** 2 }, (_, i) => (i * 7919) % size.limit ** 2);
  const lines = [...new Set(pairs)].map((pair) => {
    const [a, b] = [Math.floor(pair / size.limit), pair % size.limit];
    return `${JSON.stringify({ prompt: `${a}+${b}=`, answer: String(a + b) })}\n`;
  });
  await writeFile(task.validation, lines.slice(0, size.validation).join(''));
  await writeFile(task.train, lines.slice(size.validation, size.validation + size.train).join(''));
  return task;
}

export function testSpec(task: TestTask, written: Record<string, unknown>): RunSpec {
  const { model = {}, data = {}, ...rest } = written as Record<'model' | 'data', Record<string, unknown> | undefined>;
  const resolved = resolveRunSpec({
    ...rest,
    model: { name: task.model, ...model },
    data: { ...data, train_data: task.train, val_data: task.validation },
  });
  if (!resolved.ok) throw new Error(JSON.stringify(resolved.issues));
  return resolved.spec;
}

export function testAttempt(params: {
  readonly spec: RunSpec;
  readonly task: TestTask;
  readonly directory: string;
  readonly attempt?: number;
  readonly resume?: readonly ResumeCandidate[];
  readonly inferenceUrl?: string;
  readonly handOff?: AttemptSpec['hand_off'];
  readonly verbose?: boolean;
  readonly rewardFiles?: readonly string[];
}): AttemptSpec {
  return {
    run: 'run-test0000',
    attempt: params.attempt ?? 1,
    spec: params.spec,
    model_directory: params.task.model,
    model_origin: null,
    base_adapter_directory: null,
    train_data: params.task.train,
    val_data: params.task.validation,
    reward_files: [...(params.rewardFiles ?? [])],
    adapters_directory: path.join(params.directory, 'adapters'),
    inference_url: params.inferenceUrl ?? null,
    hand_off: params.handOff ?? { mode: 'none', deadline: 60 },
    resume: [...(params.resume ?? [])],
    baseline: null,
    run_baseline_eval: params.spec.training.run_baseline_eval ?? true,
    verbose: params.verbose ?? false,
    output_dir: 'outputs/test',
    log_levels: { training: 'INFO', rollout: 'INFO', eval: 'INFO', performance: 'INFO' },
  };
}

/** The newest checkpoint of an attempt, as the next one is offered it. */
export function candidates(plane: TestControlPlane): ResumeCandidate[] {
  return [...plane.manifests]
    .sort((a, b) => b.step - a.step)
    .map((manifest) => ({
      label: `${manifest.run}/a${manifest.attempt}/${manifest.name}`,
      manifest,
      directory: path.join(plane.directory, manifest.name),
      urls: null,
    }));
}
