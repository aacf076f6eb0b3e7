import type { RunSpec } from '../../contracts/run-spec.ts';
import { deriveSeed } from '../../model/random.ts';
import { type Bookkeeping, createBookkeeping } from '../bookkeeping.ts';
import { createDataOrder, type DataOrder, stepsPerEpoch } from '../data/data-order.ts';
import { type Dataset, readDataset } from '../data/dataset.ts';
import { hashModel } from '../data/hash-inputs.ts';
import type { Evaluator } from '../evaluation/evaluation-books.ts';
import { TrainerError } from '../failure.ts';
import { createLearner, type Learner } from '../learner/learner.ts';
import { loadPolicy, type Policy } from '../learner/policy.ts';
import type { ScheduleOptions } from '../optimizer/schedule.ts';
import { startClock } from '../progress.ts';
import { startingPoint } from '../resume.ts';
import { createCheckpointSaver } from '../saving/checkpoint-saver.ts';
import type { Session } from '../session.ts';

/** What every method reads before it starts. */
export interface Loaded {
  readonly policy: Policy;
  readonly train: Dataset;
  /** Null without `data.val_data`; at most `training.max_eval_samples` examples. */
  readonly validation: Dataset | null;
}

/** Reads the model and the data. */
export async function load(session: Session, options: { readonly withReference: boolean }): Promise<Loaded> {
  const { attempt, spec, logs } = session;
  if (attempt.train_data === null) {
    throw new TrainerError('invalid_spec', 'data.train_data is not set', 'Name the training set in data.train_data.');
  }
  const policy = await loadModel(session, options);
  const train = await readDataset(attempt.train_data, 'train');
  const validation = attempt.val_data === null ? null : await readValidation(attempt.val_data, spec);
  logs.training.info(
    `Data loaded: ${train.examples.length} training, ${validation?.examples.length ?? 0} validation examples`,
  );
  if (validation === null && (spec.training.eval_steps > 0 || attempt.run_baseline_eval)) {
    logs.eval.warning(
      'data.val_data is not set: nothing is evaluated, no best model is kept, and val_history stays empty',
    );
  }
  return { policy, train, validation };
}

/** Reads the model, and says how large it is. */
export async function loadModel(
  { attempt, spec, engine, logs }: Session,
  options: { readonly withReference: boolean },
): Promise<Policy> {
  const policy = await loadPolicy({
    engine,
    spec,
    modelDirectory: attempt.model_directory,
    baseAdapterDirectory: attempt.base_adapter_directory,
    withReference: options.withReference,
  });
  const { trainable, total } = policy.size;
  logs.training.info(
    `Model loaded: ${spec.model.name} | ${total} parameters, ${trainable} trainable (${((100 * trainable) / total).toFixed(2)}%) | engine ${engine.name}`,
    { trainable_parameters: trainable, total_parameters: total, engine: engine.name, engine_version: engine.version },
  );
  return policy;
}

/** The problems of an evaluation: at most `training.max_eval_samples`, from the front. */
export async function readValidation(path: string, { training }: Pick<RunSpec, 'training'>): Promise<Dataset> {
  const dataset = await readDataset(path, 'val');
  return { ...dataset, examples: dataset.examples.slice(0, training.max_eval_samples ?? Number.POSITIVE_INFINITY) };
}

/** A method at the point where its steps begin. */
export interface Started {
  readonly learner: Learner;
  readonly books: Bookkeeping;
  readonly order: DataOrder;
  readonly schedule: ScheduleOptions;
}

/**
 * Makes the policy trainable, restores the checkpoint to start from, and opens the books.
 * @param examples in one pass over the data
 * @param perStep examples of one optimizer step
 */
export async function start(
  session: Session,
  params: {
    readonly loaded: Loaded;
    readonly examples: number;
    readonly perStep: number;
    readonly evaluator: Evaluator | null;
  },
): Promise<Started> {
  const { spec, attempt } = session;
  const { training } = spec;
  const { policy, train } = params.loaded;
  const learner = createLearner({
    policy,
    betas: [training.adam_beta1, training.adam_beta2],
    eps: training.adam_epsilon,
    weightDecay: training.weight_decay,
    maxGradNorm: training.max_grad_norm,
    dropoutSeed: deriveSeed(spec.seed, 'lora-dropout'),
  });
  const model = await hashModel(attempt.model_directory);
  const inputs = { model, tokenizer: policy.tokenizer.hash, train_data: train.sha256 };
  const { state, resumedStep } = await startingPoint(session, { policy, learner, inputs });
  const schedule: ScheduleOptions = {
    type: training.lr_scheduler_type,
    learningRate: training.learning_rate,
    warmupSteps: training.warmup_steps,
    totalSteps: training.max_steps ?? Math.ceil(training.num_epochs * stepsPerEpoch(params.examples, params.perStep)),
  };
  requireStepsLeft(state.global_step, schedule.totalSteps);
  const books = createBookkeeping({
    session,
    state,
    clock: startClock({ now: session.now, before: state.elapsed_seconds }),
    saver: createCheckpointSaver(session, resumedStep),
    policy,
    learner,
    schedule,
    dataSize: params.examples,
    evaluator: params.evaluator,
    inputs,
  });
  const order = createDataOrder({ size: params.examples, seed: spec.seed, shuffle: spec.data.shuffle });
  return { learner, books, order, schedule };
}

/** A checkpoint that is past the end would be called a success without a step of training. At the end is one whose run died after its last save. */
function requireStepsLeft(done: number, total: number): void {
  if (done <= total) return;
  throw new TrainerError(
    'invalid_spec',
    `training.max_steps: ${total} steps are asked for, and the checkpoint has done ${done}`,
    'Raise training.max_steps or training.num_epochs, start from an earlier checkpoint, or set training.start_fresh: true.',
  );
}
