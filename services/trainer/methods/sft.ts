import type { DataOrder, DataPosition } from '../data/data-order.ts';
import type { ExampleSource } from '../data/example-source.ts';
import { exampleSizes, type Packing, packedSteps, takePacked } from '../data/packed-steps.ts';
import { type CompletionExample, createCompletionReader } from '../data/readers/completion-reader.ts';
import type { Evaluator } from '../evaluation/evaluation-books.ts';
import { createTeacherForcing } from '../evaluation/teacher-forcing.ts';
import { limitsOf } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { trainingStep } from '../log/messages.ts';
import { type StepMetrics, sftStepMetrics } from '../metrics.ts';
import type { Outcome, Session } from '../session.ts';
import { load, type Reading, start } from './prepare.ts';
import { gatherSftGradients, withPrompt } from './sft-gradients.ts';
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
    const { loss, entropy, tokens } = await gatherSftGradients({
      learner,
      batch,
      limits,
      step: books.state.global_step,
      signal: control.stopping,
      alive: books.alive,
    });
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
