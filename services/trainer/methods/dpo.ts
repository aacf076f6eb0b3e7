import type { ExampleSource } from '../data/example-source.ts';
import { createPreferenceReader, type PreferenceExample } from '../data/readers/preference-reader.ts';
import type { Evaluator } from '../evaluation/evaluation-books.ts';
import { createPreferenceAccuracy } from '../evaluation/preference-accuracy.ts';
import { limitsOf } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { preferenceStep } from '../log/messages.ts';
import { dpoStepMetrics, type StepMetrics } from '../metrics.ts';
import type { Outcome, Session } from '../session.ts';
import { gatherDpoGradients } from './dpo-gradients.ts';
import { load, type Reading, start } from './prepare.ts';
import { learnFromExamples } from './training-loop.ts';

/**
 * Direct preference optimisation (Rafailov et al., arXiv:2305.18290): the policy learns to prefer the chosen completion of a pair to the
 * rejected one, measured against the reference, which is what the run started from: the model without its new adapter, or a second copy of
 * the weights. The loss is a mean over the pairs of the whole optimizer step, however it is divided into batches.
 */
export async function trainDpo(session: Session): Promise<Outcome> {
  const { spec, control } = session;
  const { training, dpo } = spec;
  const loaded = await load(session, { withReference: true, reading: readingPreferences(session) });
  const { policy, train, validation } = loaded;

  const limits = limitsOf(training, 2 * training.batch_size);
  const evaluator = validation && createDpoEvaluator(session, policy, validation, () => books.alive());

  const perStep = training.batch_size * training.gradient_accumulation_steps;
  const started = await start(session, { loaded, perStep, evaluator });
  const { learner, books, order } = started;

  return learnFromExamples(session, started, async () => {
    const { indices, next } = order.take(books.state.data_position, perStep);
    const batch = await train.take(indices);
    const gathered = await gatherDpoGradients({
      learner,
      policy,
      batch,
      limits,
      options: { lossType: dpo.loss_type, beta: dpo.beta, totalPairs: batch.length },
      step: books.state.global_step,
      signal: control.stopping,
      alive: books.alive,
    });
    const { loss, metrics: objective, entropy, tokens } = gathered;
    const metrics = (at: StepMetrics) => dpoStepMetrics({ ...at, objective, entropy, tokens });
    return { loss, samples: batch.length, next, metrics, line: preferenceStep(loss, objective) };
  });
}

export function readingPreferences({ spec }: Session): Reading<PreferenceExample> {
  return {
    reader: ({ tokenizer }) => createPreferenceReader(tokenizer, spec.model.max_seq_length),
    weigh: ({ prompt, chosen, rejected }) => prompt.length + chosen.length + rejected.length,
  };
}

/** How many pairs are in order, and by how much. */
export function createDpoEvaluator(
  { spec: { training, dpo } }: Session,
  policy: Policy,
  pairs: ExampleSource<PreferenceExample>,
  alive: (problems: number) => void,
): Evaluator {
  return createPreferenceAccuracy({ policy, pairs, limits: limitsOf(training), dpo, alive });
}
