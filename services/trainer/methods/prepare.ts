import { adviseMemory, listed, mebibytes, memoryBlock } from '../../contracts/memory-advice.ts';
import type { RolloutsProgress } from '../../contracts/record.ts';
import { deriveSeed } from '../../model/random.ts';
import { loadConfig } from '../../model/weights.ts';
import { type Bookkeeping, createBookkeeping } from '../bookkeeping.ts';
import { createDataOrder, type DataOrder } from '../data/data-order.ts';
import { cached, type ExampleSource, firstExamples } from '../data/example-source.ts';
import { hashModel } from '../data/hash-inputs.ts';
import { type ExampleReader, type OpenedExamples, openExamples } from '../data/open-examples.ts';
import { requireEndOfTurn } from '../data/require-end-of-turn.ts';
import { engineMemory } from '../engine-memory.ts';
import type { Evaluator, PassRate } from '../evaluation/evaluation-books.ts';
import { TrainerError } from '../failure.ts';
import { createLearner, type Learner } from '../learner/learner.ts';
import { loadPolicy, type Policy } from '../learner/policy.ts';
import { planSchedule, type ScheduleOptions } from '../optimizer/schedule.ts';
import { startClock } from '../progress.ts';
import { startingPoint } from '../resume.ts';
import { createCheckpointSaver } from '../saving/checkpoint-saver.ts';
import type { Session } from '../session.ts';

/** What every method reads before it starts. */
export interface Loaded<E> {
  readonly policy: Policy;
  readonly train: ExampleSource<E>;
  /** Null without `data.val_data`; at most `training.max_eval_samples` examples. */
  readonly validation: ExampleSource<E> | null;
}

/** Tokens of examples that are kept from one epoch to the next: 32 MiB, as numbers. */
const CACHED_TOKENS = 4 << 20;

/** How a method reads its examples. */
export interface Reading<E> {
  readonly reader: (policy: Policy) => ExampleReader<E>;
  /** Tokens of an example, for what is kept of them. */
  readonly weigh: (example: E) => number;
}

/** Reads the model, and opens the data. */
export async function load<E>(
  session: Session,
  { withReference, reading }: { readonly withReference: boolean; readonly reading: Reading<E> },
): Promise<Loaded<E>> {
  const { attempt, spec, logs } = session;
  if (attempt.train_data === null) {
    throw new TrainerError('invalid_spec', 'data.train_data is not set', 'Name the training set in data.train_data.');
  }
  await tellMemory(session);
  const policy = await loadModel(session, { withReference });
  const train = await openSet(session, policy, { path: attempt.train_data, set: 'train', reading });
  const validation =
    attempt.val_data === null ? null : await openValidation(session, policy, attempt.val_data, reading);
  logs.training.info(`Data loaded: ${train.size} training, ${validation?.size ?? 0} validation examples`);
  if (validation === null && (spec.training.eval_steps > 0 || spec.training.run_baseline_eval === true)) {
    logs.eval.warning(
      'data.val_data is not set: nothing is evaluated, no best model is kept, and val_history stays empty',
    );
  }
  return { policy, train, validation };
}

/** Reads the model, and says how large it is. */
export async function loadModel(
  { attempt, spec, engine, logs }: Session,
  { withReference }: { readonly withReference: boolean },
): Promise<Policy> {
  const policy = await loadPolicy({
    engine,
    spec,
    modelDirectory: attempt.model_directory,
    baseAdapterDirectory: attempt.base_adapter_directory,
    withReference,
  });
  const { trainable, total } = policy.size;
  logs.training.info(
    `Model loaded: ${spec.model.name} | ${total} parameters, ${trainable} trainable (${((100 * trainable) / total).toFixed(2)}%) | engine ${engine.name}`,
    { trainable_parameters: trainable, total_parameters: total, engine: engine.name, engine_version: engine.version },
  );
  requireEndOfTurn(policy);
  if (!policy.tokenizer.hasChatTemplate) {
    logs.training.warning(
      'The model has no chat template: prompts are used as bare text, without roles; an instruct model has one',
    );
  }
  return policy;
}

/** The problems of an evaluation: at most `training.max_eval_samples`, from the front. */
export async function openValidation<E>(
  session: Session,
  policy: Policy,
  path: string,
  reading: Reading<E>,
): Promise<ExampleSource<E>> {
  const all = await openSet(session, policy, { path, set: 'val', reading });
  return firstExamples(all, session.spec.training.max_eval_samples ?? Number.POSITIVE_INFINITY);
}

async function openSet<E>(
  session: Session,
  policy: Policy,
  { path, set, reading }: { readonly path: string; readonly set: 'train' | 'val'; readonly reading: Reading<E> },
) {
  const opened = await openExamples(path, set, reading.reader(policy), session.spec.data);
  tellRows(session, path, opened);
  return cached<E>(opened, { capacity: CACHED_TOKENS, weigh: reading.weigh });
}

/** Says what of the data is not used as it stands. */
function tellRows({ logs, spec }: Session, path: string, { size, cut, skipped }: OpenedExamples<unknown>): void {
  if (cut > 0) {
    logs.training.warning(
      `${cut} of ${size} examples in ${path} are longer than model.max_seq_length ${spec.model.max_seq_length}: their ends are cut off`,
    );
  }
  if (skipped.count === 0) return;
  const more = skipped.count > skipped.first.length ? `; and ${skipped.count - skipped.first.length} more` : '';
  logs.training.warning(
    `${skipped.count} of ${size + skipped.count} rows in ${path} are skipped: ${skipped.first.join('; ')}${more}`,
    { skipped: skipped.count },
  );
}

/**
 * Says what training will take, before anything is loaded.
 * @throws TrainerError `oom_host` where the weights alone are too much: the engine would write them over one another without a word.
 */
async function tellMemory({ attempt, spec, engine, logs }: Session): Promise<void> {
  const { config } = await loadConfig(attempt.model_directory);
  const memory = engineMemory(engine);
  const advice = adviseMemory(config, spec, memory);
  const { engine: parts, engineBytes, hostBytes } = advice.estimate;
  const data = { engine_bytes: engineBytes, host_bytes: hostBytes, limit_bytes: engine.memoryLimitBytes, parts };
  const say = advice.fits ? logs.training.info : logs.training.warning;
  say(memoryBlock(advice), data);
  if (!advice.hopeless) return;
  const [fixed, limit] = [advice.fixedBytes, memory.limitBytes].map(mebibytes);
  throw new TrainerError(
    'oom_host',
    `Loading the model: its weights and what belongs to them need ${fixed}, and the engine has ${limit}`,
    advice.remedies.length === 0 ? 'Use a smaller model.' : `Set ${listed(advice.remedies)}.`,
  );
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
 * @param perStep examples of one optimizer step
 * @param params.reward sha256 of the files that rewards are made of, where there are any
 */
export async function start(
  session: Session,
  params: {
    readonly loaded: Pick<Loaded<unknown>, 'policy' | 'train'>;
    readonly perStep: number;
    /** Steps of so many epochs, where a step is not `perStep` examples. */
    readonly stepsOf?: (order: DataOrder, epochs: number) => Promise<number>;
    readonly evaluator: Evaluator | null;
    readonly passRate?: PassRate;
    readonly reward?: string | null;
    readonly rollouts?: () => RolloutsProgress | null;
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
  const reward = params.reward == null ? {} : { reward: params.reward };
  const inputs = { model, tokenizer: policy.tokenizer.hash, train_data: train.sha256, ...reward };
  const { state, resumedStep } = await startingPoint(session, { policy, learner, inputs });
  const order = createDataOrder({ size: train.size, seed: spec.seed, shuffle: spec.data.shuffle });
  const counted = training.max_steps === null ? await params.stepsOf?.(order, training.num_epochs) : undefined;
  const schedule = planSchedule(counted === undefined ? training : { ...training, max_steps: counted }, {
    examples: train.size,
    perStep: params.perStep,
    // Whoever begins the data anew wants no more steps of it, and would get them anew after every restart.
    ...(!spec.checkpoint.ignore_data_skip && { from: { step: state.global_step, position: state.data_position } }),
  });
  requireStepsLeft(state.global_step, schedule.totalSteps);
  const books = createBookkeeping({
    session,
    state,
    clock: startClock({ now: session.now, before: state.elapsed_seconds }),
    saver: createCheckpointSaver(session, resumedStep),
    policy,
    learner,
    schedule,
    dataSize: train.size,
    evaluator: params.evaluator,
    passRate: params.passRate ?? null,
    inputs,
    rollouts: params.rollouts ?? (() => null),
  });
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
