import path from 'node:path';
import { StopRequested } from '../agent/attempt-control.ts';
import { type Evaluator, takeEvaluation } from '../evaluation/evaluation-books.ts';
import { TrainerError } from '../failure.ts';
import type { Policy } from '../learner/policy.ts';
import { fixed } from '../log/format.ts';
import { metricsRecord } from '../metrics.ts';
import { evaluationProgress } from '../progress.ts';
import { type Evaluated, loadEvaluated } from '../resuming/load-evaluated.ts';
import { openReward } from '../rollout/rewards/reward.ts';
import type { Outcome, Session } from '../session.ts';
import { createDpoEvaluator, readingPreferences } from './dpo.ts';
import { createGrpoEvaluator, openInferenceFor, playOf, readingPrompts } from './grpo.ts';
import { loadModel, openValidation } from './prepare.ts';
import { createSftEvaluator, readingCompletions } from './sft.ts';

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
  const evaluated = await loadEvaluated(session, policy);
  const { global_step: step, epoch, samples } = evaluated.state;
  const counted = countProblems(session, evaluated);
  const { evaluator, problems, close } = await openEvaluator(session, policy, {
    data: attempt.val_data,
    version: evaluated.state.policy_version,
    alive: counted.done,
  });
  counted.begin(problems);
  logs.eval.info(`Evaluating ${evaluated.label} (step ${step}) on ${problems} problems of ${attempt.val_data}`);

  try {
    const evaluation = await takeEvaluation(session, evaluator, step, evaluated.label);
    records.append([metricsRecord({ step, epoch, samples }, evaluator.metrics(evaluation, evaluation.accuracy))]);
    const { accuracy, correct_answers: correct, total_samples: total } = evaluation;
    const message = `Evaluated ${evaluated.label} on ${path.basename(attempt.val_data)}: accuracy ${fixed(accuracy, 4)} (${correct}/${total})`;
    records.append([{ kind: 'event', name: 'finished', message, reason: 'completed', data: { step, accuracy } }]);
    return { kind: 'finished' };
  } catch (error) {
    control.closed.throwIfAborted();
    if (!(error instanceof StopRequested)) throw error;
    logs.eval.info('Stopped on request before the evaluation was done; a resume does it from its beginning');
    return { kind: 'stopped' };
  } finally {
    await close();
  }
}

/** What evaluates, and on how many problems. */
interface Opened {
  readonly evaluator: Evaluator;
  readonly problems: number;
  close(): Promise<void>;
}

const nothingToClose = async () => {};

/** As each method evaluates while it trains. */
async function openEvaluator(
  session: Session,
  policy: Policy,
  at: { readonly data: string; readonly version: number; readonly alive: (problems: number) => void },
): Promise<Opened> {
  const { data, version, alive } = at;
  switch (session.spec.method) {
    case 'sft': {
      const examples = await openValidation(session, policy, data, readingCompletions(session));
      const evaluator = createSftEvaluator(session, policy, examples, alive);
      return { evaluator, problems: examples.size, close: nothingToClose };
    }
    case 'dpo': {
      const pairs = await openValidation(session, policy, data, readingPreferences(session));
      const evaluator = createDpoEvaluator(session, policy, pairs, alive);
      return { evaluator, problems: pairs.size, close: nothingToClose };
    }
    case 'grpo': {
      const problems = await openValidation(session, policy, data, readingPrompts(session));
      const inference = await openInferenceFor(session, policy, problems);
      const reward = await openReward(session.spec.reward, session.attempt.reward_files);
      const play = playOf(session, policy, { inference, reward });
      const { publisher } = inference;
      const evaluator = createGrpoEvaluator(session, { problems, play, publisher, version: () => version, alive });
      return { evaluator, problems: problems.size, close: () => reward.close() };
    }
  }
}

/** Reports how many problems are done: each second as progress, each tenth as a line of the log. */
function countProblems(session: Session, { state }: Evaluated) {
  const { records, logs, now } = session;
  const { global_step: step, epoch } = state;
  let [total, done, startedAt, reportedAt] = [0, 0, 0, 0];

  function report(): void {
    reportedAt = now();
    records.append([evaluationProgress({ step, epoch, done, total, elapsedSeconds: (reportedAt - startedAt) / 1000 })]);
  }

  return {
    begin(problems: number): void {
      total = problems;
      startedAt = now();
      report();
    },
    done(problems: number): void {
      const tenths = Math.floor((10 * done) / total);
      done += problems;
      if (now() - reportedAt >= 1000 || done === total) report();
      if (Math.floor((10 * done) / total) > tenths) logs.eval.info(`Evaluated ${done}/${total} problems`);
    },
  };
}
