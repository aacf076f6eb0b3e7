import { setImmediate as turn } from 'node:timers/promises';
import type { DataOrder, DataPosition } from '../data/data-order.ts';
import type { ExampleSource } from '../data/example-source.ts';
import { exampleSizes, type Packing, packedSteps, takePacked } from '../data/packed-steps.ts';
import { type CompletionExample, createCompletionReader } from '../data/readers/completion-reader.ts';
import type { Evaluator } from '../evaluation/evaluation-books.ts';
import { createTeacherForcing } from '../evaluation/teacher-forcing.ts';
import { type Learner, requireFinite } from '../learner/learner.ts';
import { limitsOf, type MicroBatchLimits, microBatches, type Sequence } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { trainingStep } from '../log/messages.ts';
import { sftStepMetrics } from '../metrics.ts';
import { sftLoss } from '../objectives/sft-loss.ts';
import { learningRateAt } from '../optimizer/schedule.ts';
import { createPerformanceMeter, performanceLine } from '../performance.ts';
import type { Outcome, Session } from '../session.ts';
import { load, type Reading, start } from './prepare.ts';

/**
 * Supervised fine-tuning: the policy learns to write the completions of the data set, or prompts and completions where
 * `sft.completion_only_loss` is false. The loss is a mean over these tokens of the whole optimizer step, however it is divided into batches.
 *
 * Sequences are never padded, and none sees another one. So `sft.packing` only says how a step is filled: with as many whole examples as its
 * tokens allow, instead of so many examples.
 */
export async function trainSft(session: Session): Promise<Outcome> {
  const { spec, control, logs } = session;
  const { training, model, sft } = spec;
  const loaded = await load(session, { withReference: false, reading: readingCompletions(session) });
  const { policy, train, validation } = loaded;

  const perStep = training.batch_size * training.gradient_accumulation_steps;
  const packing: Packing<CompletionExample> | null = sft.packing
    ? { maxTokens: perStep * model.max_seq_length, tokensOf }
    : null;
  const limits = limitsOf(training, packing === null ? training.batch_size : undefined);
  const evaluator = validation && createSftEvaluator(session, policy, validation, () => books.alive());

  const { learner, books, order, schedule } = await start(session, {
    loaded,
    perStep,
    evaluator,
    ...(packing && {
      stepsOf: async (of: DataOrder, epochs: number) =>
        packedSteps(of, await exampleSizes(train, tokensOf), { epochs, maxTokens: packing.maxTokens }),
    }),
  });
  const take = async (from: DataPosition) => {
    if (packing !== null) return takePacked({ order, source: train, from, packing, ahead: perStep });
    const { indices, next } = order.take(from, perStep);
    return { examples: await train.take(indices), next };
  };
  const { state } = books;
  const performance = createPerformanceMeter(session);

  await books.baseline();
  for (;;) {
    await books.evaluateIfDue();
    const ending = books.ending();
    await books.saveIfDue(ending);
    control.closed.throwIfAborted();
    if (ending !== null || control.stopping.aborted) return books.finish(ending);

    await books.unlessStopped(async () => {
      const startedAt = session.now();
      books.enter('training');
      const { examples, next } = await take(state.data_position);
      const batch = sft.completion_only_loss ? examples : examples.map(withPrompt);
      const { loss, entropy, tokens } = await gatherGradients(
        learner,
        batch,
        limits,
        state.global_step,
        control.stopping,
        books.alive,
      );
      requireFinite(loss, state.global_step + 1);

      const learningRate = learningRateAt(schedule, state.global_step);
      const gradNorm = learner.update(learningRate);
      state.global_step += 1;
      state.policy_version += 1;
      state.samples += batch.length;
      state.data_position = next;
      state.epoch = books.epoch();

      const trainingSeconds = (session.now() - startedAt) / 1000;
      const cost = performance.measure({ rolloutSeconds: 0, trainingSeconds, samples: batch.length });
      const at = { step: state.global_step, epoch: state.epoch, loss, learningRate, gradNorm, tokens, entropy };
      books.recordStep({ ...sftStepMetrics(at), ...cost });
      books.progress('training');
      if (state.global_step % training.logging_steps === 0 || state.global_step === books.totalSteps) {
        logs.training.info(books.stepLine(), { step: state.global_step });
        logs.training.info(trainingStep({ loss }), { step: state.global_step });
        logs.performance.info(performanceLine(cost), { step: state.global_step });
      }
    });
  }
}

export function readingCompletions({ spec }: Session): Reading<CompletionExample> {
  return {
    reader: ({ tokenizer }) => createCompletionReader(tokenizer, spec.model.max_seq_length),
    weigh: tokensOf,
  };
}

/** The loss on completions. */
export function createSftEvaluator(
  { spec }: Session,
  policy: Policy,
  examples: ExampleSource<CompletionExample>,
  alive: (problems: number) => void,
): Evaluator {
  return createTeacherForcing({ policy, examples, limits: limitsOf(spec.training), alive });
}

function tokensOf({ prompt, completion }: CompletionExample): number {
  return prompt.length + completion.length;
}

/** The prompt as a part of what is learned. Its first token is predicted by nothing. */
function withPrompt({ prompt, completion }: CompletionExample): Sequence {
  return { prompt: prompt.slice(0, 1), completion: [...prompt.slice(1), ...completion] };
}

/** Forward and backward of one optimizer step; given up between batches when the signal says so. */
async function gatherGradients(
  learner: Learner,
  batch: readonly Sequence[],
  limits: MicroBatchLimits,
  step: number,
  signal: AbortSignal,
  alive: () => void,
): Promise<{ loss: number; entropy: number; tokens: number }> {
  const tokens = batch.reduce((sum, { completion }) => sum + completion.length, 0);
  let [loss, entropy] = [0, 0];
  for (const part of microBatches(batch, limits)) {
    signal.throwIfAborted();
    const value = learner.accumulate(
      part,
      (logprobs, entropies) => {
        entropy += entropies.reduce((sum, value) => sum + value, 0) / tokens;
        return sftLoss(logprobs, tokens);
      },
      { temperature: 1, step },
    );
    loss += value.loss;
    alive();
    // Heartbeats, records and the checkpoint being written get their turn.
    await turn();
  }
  return { loss, entropy, tokens };
}
