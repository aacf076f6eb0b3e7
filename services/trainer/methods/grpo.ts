import { createPromptReader } from '../data/readers/prompt-reader.ts';
import type { Evaluator } from '../evaluation/evaluation-books.ts';
import { createGreedyRollouts } from '../evaluation/greedy-rollouts.ts';
import { openInference } from '../rollout/open-inference.ts';
import { hashRewardFiles } from '../rollout/rewards/function-reward.ts';
import { needsAnswer, openReward, type Reward } from '../rollout/rewards/reward.ts';
import { createSingleTurn } from '../rollout/single-turn.ts';
import type { Outcome, Session } from '../session.ts';
import { createGrpoPhases } from './grpo-phases.ts';
import { load, start } from './prepare.ts';

/**
 * Group relative policy optimisation (Shao et al., arXiv:2402.03300), synchronous: each step plays its tasks with the current policy
 * version, compares the rollouts of a task with one another, and makes one update from those that differ.
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
  const { spec, control, logs } = session;
  const { training, rollout, model } = spec;
  const loaded = await load(session, {
    withReference: spec.grpo.kl_coef > 0,
    reader: ({ tokenizer }) =>
      createPromptReader(tokenizer, {
        systemPrompt: spec.environment.system_prompt,
        maxLength: model.max_seq_length,
        maxNewTokens: rollout.max_new_tokens,
        needsAnswer: needsAnswer(spec.reward),
      }),
    weigh: ({ prompt }) => prompt.length,
  });
  const { policy, train: tasks, validation: problems } = loaded;

  const [first] = await tasks.take([0]);
  const { server, publisher, handOff } = openInference(session, policy, first!.prompt);
  const play = { server, tokenizer: policy.tokenizer, reward, maxNewTokens: rollout.max_new_tokens };
  const environment = createSingleTurn({ ...play, temperature: rollout.temperature });
  const greedy =
    problems &&
    createGreedyRollouts({
      environment: createSingleTurn({ ...play, temperature: 0 }),
      problems,
      // As many sequences in flight as rollouts have.
      concurrency: rollout.concurrency * rollout.num_rollouts,
      seed: spec.seed,
      alive: () => books.alive(),
    });
  const evaluator: Evaluator | null = greedy && {
    metrics: greedy.metrics,
    async evaluate(signal) {
      await publisher.serve(books.state.policy_version, signal);
      return greedy.evaluate(signal);
    },
  };

  const tasksPerStep = training.batch_size * training.gradient_accumulation_steps;
  const started = await start(session, {
    loaded,
    perStep: tasksPerStep,
    evaluator,
    reward: await hashRewardFiles(session.attempt.reward_files),
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
    publisher,
    handOff,
  });
  if (rollout.num_rollouts === 1) {
    logs.training.warning(
      'rollout.num_rollouts is 1: a group of one has no variance, so nothing is learned; use 4 to 8',
    );
  }

  await books.baseline();
  for (;;) {
    await books.evaluateIfDue();
    const ending = books.ending();
    await books.saveIfDue(ending);
    control.closed.throwIfAborted();
    if (ending !== null || control.stopping.aborted) return books.finish(ending);

    await books.unlessStopped(async () => {
      const step = state.global_step + 1;
      const collected = await phases.collect(step);
      const learned = await phases.learn(step, collected.groups);

      // The weights have changed: from here to the end of the step nothing waits, so a stop finds all of it done.
      state.global_step = step;
      if (learned.gradNorm !== null) state.policy_version += 1;
      state.samples += collected.rollouts.length;
      state.data_position = collected.next;
      state.epoch = books.epoch();
      phases.report(collected, learned);
    });
  }
}
