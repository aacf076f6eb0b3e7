import { setImmediate as turn } from 'node:timers/promises';
import type { DataOrder, DataPosition } from '../data/data-order.ts';
import type { ExampleSource } from '../data/example-source.ts';
import { exampleSizes, type Packing, packedSteps, takePacked } from '../data/packed-steps.ts';
import { type CompletionExample, createCompletionReader } from '../data/readers/completion-reader.ts';
import type { Evaluator } from '../evaluation/evaluation-books.ts';
import { createTeacherForcing } from '../evaluation/teacher-forcing.ts';
import type { Learner } from '../learner/learner.ts';
import { limitsOf, type MicroBatchLimits, microBatches, type Sequence } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { trainingStep } from '../log/messages.ts';
import { type StepMetrics, sftStepMetrics } from '../metrics.ts';
import { sftLoss } from '../objectives/sft-loss.ts';
import type { Outcome, Session } from '../session.ts';
import { load, type Reading, start } from './prepare.ts';
import { learnFromExamples } from './training-loop.ts';

/**
 * Supervised fine-tuning: the policy learns to write the completions of the data set, or prompts and completions where
 * `sft.completion_only_loss` is false. The loss is a mean over these tokens of the whole optimizer step, however it is divided into batches.
 *
 * Sequences are never padded, and none sees another one. So `sft.packing` only says how a step is filled: with as many whole examples as its
 * tokens allow, instead of so many examples.
 */
export async function trainSft(session: Session): Promise<Outcome> {
  const { spec, control } = session;
  const { training, model, sft } = spec;
  const loaded = await load(session, { withReference: false, reading: readingCompletions(session) });
  const { policy, train, validation } = loaded;

  const perStep = training.batch_size * training.gradient_accumulation_steps;
  const packing: Packing<CompletionExample> | null = sft.packing
    ? { maxTokens: perStep * model.max_seq_length, tokensOf }
    : null;
  const limits = limitsOf(training, packing === null ? training.batch_size : undefined);
  const evaluator = validation && createSftEvaluator(session, policy, validation, () => books.alive());

  const started = await start(session, {
    loaded,
    perStep,
    evaluator,
    ...(packing && {
      stepsOf: async (of: DataOrder, epochs: number) =>
        packedSteps(of, await exampleSizes(train, tokensOf), { epochs, maxTokens: packing.maxTokens }),
    }),
  });
  const { learner, books, order } = started;
  const take = async (from: DataPosition) => {
    if (packing !== null) return takePacked({ order, source: train, from, packing, ahead: perStep });
    const { indices, next } = order.take(from, perStep);
    return { examples: await train.take(indices), next };
  };

  return learnFromExamples(session, started, async () => {
    const { examples, next } = await take(books.state.data_position);
    const batch = sft.completion_only_loss ? examples : examples.map(withPrompt);
    const { loss, entropy, tokens } = await gatherGradients(
      learner,
      batch,
      limits,
      books.state.global_step,
      control.stopping,
      books.alive,
    );
    const metrics = (at: StepMetrics) => sftStepMetrics({ ...at, tokens, entropy });
    return { loss, samples: batch.length, next, metrics, line: trainingStep({ loss }) };
  });
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
