import path from 'node:path';
import { StopRequested } from '../agent/attempt-control.ts';
import type { Dataset } from '../data/dataset.ts';
import { type Evaluator, takeEvaluation } from '../evaluation/evaluation-books.ts';
import { TrainerError } from '../failure.ts';
import type { Policy } from '../learner/policy.ts';
import { fixed } from '../log/format.ts';
import { metricsRecord } from '../metrics.ts';
import { evaluationProgress } from '../progress.ts';
import { type Evaluated, loadEvaluated } from '../resuming/load-evaluated.ts';
import { openInference } from '../rollout/open-inference.ts';
import type { Outcome, Session } from '../session.ts';
import { createGrpoEvaluator, playOf, readPrompts } from './grpo.ts';
import { loadModel, readValidation } from './prepare.ts';
import { createSftEvaluator } from './sft.ts';

/**
 * Measures a checkpoint, or the model itself, on a data set, as evaluations of a run of its method do. Nothing is trained and nothing saved: what is
 * killed or stopped half-way is done again as a whole.
 */
export async function evaluateOnce(session: Session): Promise<Outcome> {
  const { attempt, spec, control, records, logs } = session;
  if (attempt.val_data === null) {
    throw new TrainerError('invalid_spec', 'data.val_data is not set', 'Name the data set to evaluate on.');
  }
  const policy = await loadModel(session, { withReference: spec.method === 'dpo' });
  const dataset = await readValidation(attempt.val_data, spec);
  const evaluated = await loadEvaluated(session, policy);
  const { global_step: step, epoch, samples } = evaluated.state;
  logs.eval.info(
    `Evaluating ${evaluated.label} (step ${step}) on ${dataset.examples.length} problems of ${dataset.path}`,
  );

  const done = countProblems(session, evaluated, dataset.examples.length);
  const evaluator = createEvaluator(session, policy, { dataset, evaluated, alive: done });
  try {
    done(0);
    const evaluation = await takeEvaluation(session, evaluator, step, evaluated.label);
    records.append([metricsRecord({ step, epoch, samples }, evaluator.metrics(evaluation, evaluation.accuracy))]);
    const { accuracy, correct_answers: correct, total_samples: total } = evaluation;
    const message = `Evaluated ${evaluated.label} on ${path.basename(dataset.path)}: accuracy ${fixed(accuracy, 4)} (${correct}/${total})`;
    records.append([{ kind: 'event', name: 'finished', message, reason: 'completed', data: { step, accuracy } }]);
    return { kind: 'finished' };
  } catch (error) {
    control.closed.throwIfAborted();
    if (!(error instanceof StopRequested)) throw error;
    logs.eval.info('Stopped on request before the evaluation was done; a resume does it from its beginning');
    return { kind: 'stopped' };
  }
}

/** As each method evaluates while it trains. */
function createEvaluator(
  session: Session,
  policy: Policy,
  at: { readonly dataset: Dataset; readonly evaluated: Evaluated; readonly alive: (problems: number) => void },
): Evaluator {
  const { dataset, evaluated, alive } = at;
  switch (session.spec.method) {
    case 'sft':
      return createSftEvaluator(session, policy, dataset, alive);
    case 'grpo': {
      const problems = readPrompts(session, policy, dataset);
      const inference = openInference(session, policy, problems[0]!.prompt);
      const { publisher } = inference;
      const version = () => evaluated.state.policy_version;
      return createGrpoEvaluator(session, {
        problems,
        play: playOf(session, policy, inference),
        publisher,
        version,
        alive,
      });
    }
    case 'dpo':
      throw new TrainerError('invalid_spec', 'the tfjs trainer does not evaluate dpo', 'Set method to sft or grpo.');
  }
}

/** Reports how many problems are done: each second as progress, each tenth as a line of the log. */
function countProblems(session: Session, { state }: Evaluated, total: number): (problems: number) => void {
  const { records, logs, now } = session;
  const startedAt = now();
  let done = 0;
  let reportedAt = Number.NEGATIVE_INFINITY;
  return (problems) => {
    const before = Math.floor((10 * done) / total);
    done += problems;
    const elapsedSeconds = (now() - startedAt) / 1000;
    if (now() - reportedAt >= 1000 || done === total) {
      reportedAt = now();
      records.append([
        evaluationProgress({ step: state.global_step, epoch: state.epoch, done, total, elapsedSeconds }),
      ]);
    }
    if (Math.floor((10 * done) / total) > before) logs.eval.info(`Evaluated ${done}/${total} problems`);
  };
}
