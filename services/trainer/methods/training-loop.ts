import type { Bookkeeping } from '../bookkeeping.ts';
import type { DataPosition } from '../data/data-order.ts';
import { requireFinite } from '../learner/learner.ts';
import type { MetricValues, StepMetrics } from '../metrics.ts';
import { learningRateAt } from '../optimizer/schedule.ts';
import { createPerformanceMeter, performanceLine } from '../performance.ts';
import type { Outcome, Session } from '../session.ts';
import type { Started } from './prepare.ts';

/** Steps until there are no more, or somebody asks to stop; what is due comes at the head of each. A step that is given up leaves nothing of it. */
export async function trainingLoop(
  { control }: Session,
  books: Bookkeeping,
  step: () => Promise<void>,
): Promise<Outcome> {
  await books.baseline();
  for (;;) {
    await books.evaluateIfDue();
    const ending = books.ending();
    await books.saveIfDue(ending);
    control.closed.throwIfAborted();
    if (ending !== null || control.stopping.aborted) return books.finish(ending);
    await books.unlessStopped(step);
  }
}

/** The gradients of one step, which wait in the learner, and what is told of them. */
export interface Gathered {
  readonly loss: number;
  readonly samples: number;
  /** Position in the data after its examples. */
  readonly next: DataPosition;
  metrics(at: StepMetrics): MetricValues;
  /** The line of the log. */
  readonly line: string;
}

/** The loop of methods that learn from examples alone, with no rollouts. */
export function learnFromExamples(
  session: Session,
  { books, learner, schedule }: Started,
  gather: () => Promise<Gathered>,
): Promise<Outcome> {
  const { spec, logs } = session;
  const { state } = books;
  const performance = createPerformanceMeter(session);

  return trainingLoop(session, books, async () => {
    const startedAt = session.now();
    books.enter('training');
    const { loss, samples, next, metrics, line } = await gather();
    requireFinite(loss, state.global_step + 1, state.policy_version);

    // From here to the end of the step nothing waits, so a stop finds all of it done.
    const learningRate = learningRateAt(schedule, state.global_step);
    const gradNorm = learner.update(learningRate);
    state.global_step += 1;
    state.policy_version += 1;
    state.samples += samples;
    state.data_position = next;
    state.epoch = books.epoch();

    const { global_step: step, epoch } = state;
    const trainingSeconds = (session.now() - startedAt) / 1000;
    const measured = metrics({ step, epoch, loss, learningRate, gradNorm });
    const tokens = measured['train/tokens'] ?? 0;
    const cost = performance.measure({ rolloutSeconds: 0, trainingSeconds, samples, tokens });
    books.recordStep({ ...measured, ...cost });
    books.progress('training');
    if (step % spec.training.logging_steps === 0 || step === books.totalSteps) {
      logs.training.info(books.stepLine(), { step });
      logs.training.info(line, { step });
      logs.performance.info(performanceLine(cost), { step });
    }
  });
}
