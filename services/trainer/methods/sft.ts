import { setImmediate as turn } from 'node:timers/promises';
import type { ExampleSource } from '../data/example-source.ts';
import { type CompletionExample, createCompletionReader } from '../data/readers/completion-reader.ts';
import type { Evaluator } from '../evaluation/evaluation-books.ts';
import { createTeacherForcing } from '../evaluation/teacher-forcing.ts';
import { type Learner, requireFinite } from '../learner/learner.ts';
import { limitsOf, type MicroBatchLimits, microBatches } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { trainingStep } from '../log/messages.ts';
import { sftStepMetrics } from '../metrics.ts';
import { sftLoss } from '../objectives/sft-loss.ts';
import { learningRateAt } from '../optimizer/schedule.ts';
import { createPerformanceMeter, performanceLine } from '../performance.ts';
import type { Outcome, Session } from '../session.ts';
import { load, type Reading, start } from './prepare.ts';

/**
 * Supervised fine-tuning: the policy learns to write the completions of the data set. The loss is a mean over the completion tokens of
 * the whole optimizer step, however it is divided into batches.
 */
export async function trainSft(session: Session): Promise<Outcome> {
  const { spec, control, logs } = session;
  const { training } = spec;
  const loaded = await load(session, { withReference: false, reading: readingCompletions(session) });
  const { policy, train, validation } = loaded;

  const limits = limitsOf(training, training.batch_size);
  const evaluator = validation && createSftEvaluator(session, policy, validation, () => books.alive());

  const perStep = training.batch_size * training.gradient_accumulation_steps;
  const { learner, books, order, schedule } = await start(session, {
    loaded,
    perStep,
    evaluator,
  });
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
      const { indices, next } = order.take(state.data_position, perStep);
      const batch = await train.take(indices);
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
    weigh: ({ prompt, completion }) => prompt.length + completion.length,
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

/** Forward and backward of one optimizer step; given up between batches when the signal says so. */
async function gatherGradients(
  learner: Learner,
  batch: readonly CompletionExample[],
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
