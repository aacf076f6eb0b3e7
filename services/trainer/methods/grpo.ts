import { setImmediate as turn } from 'node:timers/promises';
import { type ExampleSource, firstExamples } from '../data/example-source.ts';
import { createPromptReader, type PromptExample, weighPrompt } from '../data/readers/prompt-reader.ts';
import type { Evaluator } from '../evaluation/evaluation-books.ts';
import { createGreedyRollouts } from '../evaluation/greedy-rollouts.ts';
import type { Policy } from '../learner/policy.ts';
import { type Inference, openInference } from '../rollout/open-inference.ts';
import type { PolicyPublisher } from '../rollout/policy-publisher.ts';
import { hashRewardFiles } from '../rollout/rewards/hash-files.ts';
import { needsAnswer, openReward, type Reward } from '../rollout/rewards/reward.ts';
import { createSingleTurn } from '../rollout/single-turn.ts';
import type { Outcome, Session } from '../session.ts';
import { type CollectAhead, createCollectAhead } from './collect-ahead.ts';
import { createGrpoPhases } from './grpo-phases.ts';
import { load, type Reading, start } from './prepare.ts';
import { trainingLoop } from './training-loop.ts';

/** Problems at most that a pass rate is taken of. */
const PASS_RATE_SAMPLES = 8;

/**
 * Group relative policy optimisation (Shao et al., arXiv:2402.03300): each step plays its tasks with the current policy
 * version, compares the rollouts of a task with one another, and makes one update from those that differ. With `rollout.max_staleness` tasks are played
 * ahead, with policies that may be so many versions older.
 */
export async function trainGrpo(session: Session): Promise<Outcome> {
  const reward = await openReward(session.spec.reward, session.attempt.reward_files);
  try {
    return await train(session, reward);
  } finally {
    await reward.close();
  }
}

async function train(session: Session, reward: Reward): Promise<Outcome> {
  const { spec, logs } = session;
  const { training, rollout } = spec;
  const loaded = await load(session, { withReference: spec.grpo.kl_coef > 0, reading: readingPrompts(session) });
  const { policy, train: tasks, validation: problems } = loaded;

  const inference = await openInferenceFor(session, policy, tasks);
  let ahead: CollectAhead | null = null;
  const publisher: Pick<PolicyPublisher, 'serve'> = {
    serve: (version, signal) => (ahead ?? inference.publisher).serve(version, signal),
  };
  const play = playOf(session, policy, { inference, reward });
  const environment = createSingleTurn({ ...play, temperature: rollout.temperature });
  const evaluatorOf = (of: ExampleSource<PromptExample>) =>
    createGrpoEvaluator(session, {
      problems: of,
      play,
      publisher,
      version: () => books.state.policy_version,
      alive: () => books.alive(),
    });
  const evaluator = problems && evaluatorOf(problems);
  const sample = Math.min(training.max_eval_samples ?? PASS_RATE_SAMPLES, PASS_RATE_SAMPLES);
  const passRate = {
    evaluate: evaluatorOf(firstExamples(problems ?? tasks, sample)).evaluate,
    generated: problems === null,
  };

  const tasksPerStep = training.batch_size * training.gradient_accumulation_steps;
  const started = await start(session, {
    loaded,
    perStep: tasksPerStep,
    evaluator,
    passRate,
    reward: await hashRewardFiles(session.attempt.reward_files),
    rollouts: () => ahead?.progress() ?? null,
  });
  const { books } = started;
  const { state } = books;
  const phases = createGrpoPhases({
    session,
    policy,
    ...started,
    tasks,
    tasksPerStep,
    environment,
    inference,
    turn: () => (ahead?.goesOn() ? ahead.turn() : turn()),
  });
  if (rollout.max_staleness > 0 || (state.rollouts_ahead ?? []).length > 0) {
    ahead = createCollectAhead({ session, ...started, tasks, tasksPerStep, environment, inference });
  }
  if (rollout.num_rollouts === 1) {
    logs.training.warning(
      'rollout.num_rollouts is 1: a group of one has no variance, so nothing is learned; use 4 to 8',
    );
  }

  const steps = trainingLoop(session, books, async () => {
    const step = state.global_step + 1;
    phases.begin(step);
    const collected = await (ahead?.goesOn() ? ahead.collect(step) : phases.collect(step));
    const learned = await phases.learn(step, collected.groups);

    // The weights have changed: from here to the end of the step nothing waits, so a stop finds all of it done.
    state.global_step = step;
    if (learned.gradNorm !== null) state.policy_version += 1;
    state.samples += collected.rollouts.length;
    state.data_position = collected.next;
    state.epoch = books.epoch();
    ahead?.learned();
    phases.report(collected, learned);
  });
  return steps.finally(() => ahead?.close());
}

export function readingPrompts({ spec: { environment, model, rollout, reward } }: Session): Reading<PromptExample> {
  return {
    reader: ({ tokenizer }) =>
      createPromptReader(tokenizer, {
        systemPrompt: environment.system_prompt,
        maxLength: model.max_seq_length,
        maxNewTokens: rollout.max_new_tokens,
        needsAnswer: needsAnswer(reward),
      }),
    weigh: weighPrompt,
  };
}

/** The inference server, which is checked by the first of the prompts that it will be asked. */
export async function openInferenceFor(
  session: Session,
  policy: Policy,
  prompts: ExampleSource<PromptExample>,
): Promise<Inference> {
  const [first] = await prompts.take([0]);
  return openInference(session, policy, first!.prompt);
}

/** What all rollouts of a run share: the server, and how a completion is made and scored. */
type Play = Omit<Parameters<typeof createSingleTurn>[0], 'temperature'>;

export function playOf(
  { spec }: Session,
  { tokenizer }: Policy,
  { inference, reward }: { readonly inference: Inference; readonly reward: Reward },
): Play {
  return { server: inference.server, tokenizer, reward, maxNewTokens: spec.rollout.max_new_tokens };
}

/**
 * Greedy rollouts of the current policy, scored by the run's rewards.
 * @param version of the policy as it is when an evaluation begins
 */
export function createGrpoEvaluator(
  { spec: { rollout, seed } }: Session,
  params: {
    readonly problems: ExampleSource<PromptExample>;
    readonly play: Play;
    readonly publisher: Pick<PolicyPublisher, 'serve'>;
    readonly version: () => number;
    readonly alive: (problems: number) => void;
  },
): Evaluator {
  const { problems, play, publisher, version, alive } = params;
  const greedy = createGreedyRollouts({
    environment: createSingleTurn({ ...play, temperature: 0, lane: 'evaluation' }),
    problems,
    // As many sequences in flight as rollouts have.
    concurrency: rollout.concurrency * rollout.num_rollouts,
    seed,
    alive,
  });
  return {
    metrics: greedy.metrics,
    async evaluate(signal) {
      await publisher.serve(version(), signal);
      return greedy.evaluate(signal);
    },
  };
}
