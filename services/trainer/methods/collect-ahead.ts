import type { RolloutsProgress } from '../../contracts/record.ts';
import type { Bookkeeping } from '../bookkeeping.ts';
import type { DataOrder } from '../data/data-order.ts';
import type { ExampleSource } from '../data/example-source.ts';
import type { PromptExample } from '../data/readers/prompt-reader.ts';
import { rolloutsAhead, rolloutsCollected, waitedForRollouts } from '../log/messages.ts';
import { logRollouts } from '../log/rollout-lines.ts';
import { aheadMetrics } from '../metrics.ts';
import type { Environment, RolloutGroup } from '../rollout/collect-rollouts.ts';
import type { Inference } from '../rollout/open-inference.ts';
import { createRolloutSchedule } from '../rollout/rollout-schedule.ts';
import { createRolloutWorker } from '../rollout/rollout-worker.ts';
import type { Session } from '../session.ts';
import { type Collected, collectedOf } from './collected.ts';

/** Rollouts that go on while the policy is trained. */
export interface CollectAhead {
  /** False once no step may learn from rollouts of an older policy and none that were left of such times are to be played any more. */
  goesOn(): boolean;
  /** Waits for the rollouts that the next step learns from. */
  collect(step: number): Promise<Collected>;
  /** The step that collected last has changed the state. */
  learned(): void;
  /** As that of the publisher; then begins with what may be played with this policy. */
  serve(version: number, signal: AbortSignal): Promise<void>;
  /** As that of the worker. */
  turn(): Promise<void>;
  progress(): RolloutsProgress;
  close(): void;
}

export function createCollectAhead(params: {
  readonly session: Session;
  readonly books: Bookkeeping;
  readonly order: DataOrder;
  readonly tasks: ExampleSource<PromptExample>;
  readonly tasksPerStep: number;
  readonly environment: Environment;
  readonly inference: Pick<Inference, 'server' | 'publisher'>;
}): CollectAhead {
  const { session, books, order, tasks, tasksPerStep, environment, inference } = params;
  const { spec, control, logs, now } = session;
  const { rollout, seed } = spec;
  const { state } = books;
  const schedule = createRolloutSchedule<RolloutGroup>({
    order,
    perStep: tasksPerStep,
    concurrency: rollout.concurrency,
    maxStaleness: rollout.max_staleness,
    pending: state.rollouts_ahead ?? [],
  });
  const worker = createRolloutWorker({
    ...{ schedule, environment, tasks, rollouts: rollout.num_rollouts, seed, now },
    serverLost: inference.server.isLost,
    stopping: control.stopping,
    onGroup(group) {
      logRollouts(logs.rollout, group);
      if (group.skipped !== null) logs.rollout.warning(`Left out: ${group.skipped.message}`);
      books.alive();
    },
    onChange(progress) {
      logs.rollout.info(rolloutsAhead(progress), { ...progress });
      books.again();
    },
  });
  let idleBefore = 0;

  const goesOn = () => rollout.max_staleness > 0 || schedule.pending().length > 0;

  async function serve(version: number, signal: AbortSignal): Promise<void> {
    await inference.publisher.serve(version, signal);
    const { global_step: step, data_position: position } = state;
    if (goesOn()) worker.open({ step, position, stepsLeft: books.totalSteps - step });
  }

  return {
    goesOn,
    serve,
    turn: worker.turn,
    progress: worker.progress,
    close: worker.close,
    async collect(step) {
      const startedAt = now();
      await serve(state.policy_version, control.stopping);
      const servedAt = now();
      const { groups: played, dropped } = await worker.take(state.policy_version);
      const weightSyncSeconds = (servedAt - startedAt) / 1000;
      const waited = (now() - servedAt) / 1000;
      const seconds = weightSyncSeconds + waited;
      const idleNow = worker.idleMs();
      const idle = (idleNow - idleBefore) / 1000;
      idleBefore = idleNow;
      const { in_flight: inFlight, buffered } = worker.progress();
      const { next } = order.take(state.data_position, tasksPerStep);
      const versions = played.flatMap((group) => group.rollouts.map(({ version }) => version));
      const stalest = state.policy_version - Math.min(state.policy_version, ...versions);
      const ahead = aheadMetrics({ stalest, dropped, waited, idle, inFlight, buffered });
      const collected = collectedOf(played, { next, rounds: 1, seconds, weightSyncSeconds, ahead });
      logs.rollout.info(rolloutsCollected(seconds, collected.accuracy), { step });
      logs.training.info(waitedForRollouts({ waited, stalest, dropped }), { step });
      if (dropped > 0)
        logs.rollout.warning(`${dropped} groups were too old to learn from and are played again`, { step });
      return collected;
    },
    learned() {
      schedule.learned();
      state.rollouts_ahead = schedule.pending();
    },
  };
}
