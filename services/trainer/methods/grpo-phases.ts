import type { Bookkeeping } from '../bookkeeping.ts';
import type { DataOrder } from '../data/data-order.ts';
import type { ExampleSource } from '../data/example-source.ts';
import type { PromptExample } from '../data/readers/prompt-reader.ts';
import type { Learner } from '../learner/learner.ts';
import { limitsOf } from '../learner/micro-batches.ts';
import type { Policy } from '../learner/policy.ts';
import { groupSummary, phaseMarker, stepMarker } from '../log/group-summary.ts';
import { collectingRollouts, computingAdvantages, rolloutsCollected, trainingStep } from '../log/messages.ts';
import { logRollouts } from '../log/rollout-lines.ts';
import { grpoStepMetrics, rewardMetrics } from '../metrics.ts';
import { emptyGrpoMetrics, type GrpoMetrics } from '../objectives/grpo-metrics.ts';
import { learningRateAt, type ScheduleOptions } from '../optimizer/schedule.ts';
import { createPerformanceMeter, performanceLine } from '../performance.ts';
import { collectRollouts, type Environment, type RolloutGroup } from '../rollout/collect-rollouts.ts';
import type { Inference } from '../rollout/open-inference.ts';
import { createRetryMeter } from '../rollout/retry-meter.ts';
import type { Session } from '../session.ts';
import { statisticsOf } from '../statistics.ts';
import { type Collected, collectedOf } from './collected.ts';
import { type GrpoBatch, type GrpoBatchOptions, grpoBatch } from './grpo-batch.ts';
import { updatePolicy } from './grpo-updates.ts';
import { createIdleWatch } from './idle-steps.ts';
import { sampleGroups } from './sample-groups.ts';

export interface Learned {
  readonly batch: GrpoBatch;
  readonly loss: number;
  readonly objective: GrpoMetrics;
  readonly learningRate: number;
  /** Null when there was nothing to learn from, and no update was made. */
  readonly gradNorm: number | null;
  /** Which policy learned. */
  readonly version: number;
  readonly seconds: number;
}

/** The parts of one GRPO step. */
export interface GrpoPhases {
  begin(step: number): void;
  /** Plays the next tasks with the current policy version. */
  collect(step: number): Promise<Collected>;
  /** Compares rollouts within their groups and updates the policy `grpo.num_iterations` times, unless no group says anything. */
  learn(step: number, groups: readonly RolloutGroup[]): Promise<Learned>;
  report(collected: Collected, learned: Learned): void;
}

export function createGrpoPhases(params: {
  readonly session: Session;
  readonly policy: Policy;
  readonly learner: Learner;
  readonly books: Bookkeeping;
  readonly order: DataOrder;
  readonly schedule: ScheduleOptions;
  readonly tasks: ExampleSource<PromptExample>;
  readonly tasksPerStep: number;
  readonly environment: Environment;
  readonly inference: Inference;
  /** Waited for before each micro-batch, so that what goes on beside gets its turn. */
  readonly turn: () => Promise<void>;
}): GrpoPhases {
  const { session, policy, learner, books, order, schedule, tasks, environment, turn } = params;
  const { server, publisher, handOff } = params.inference;
  const { spec, attempt, control, logs, now } = session;
  const { rollout, grpo } = spec;
  const batchOptions: GrpoBatchOptions = {
    grpo,
    maxNewTokens: rollout.max_new_tokens,
    batchSize: spec.training.batch_size,
  };
  const { state } = books;
  const limits = limitsOf(spec.training);
  const performance = createPerformanceMeter(session);
  const retries = createRetryMeter(server);
  const idleWatch = createIdleWatch();

  function verbose(line: string, step: number): void {
    if (attempt.verbose) logs.training.info(line, { step });
  }

  function begin(step: number): void {
    verbose(stepMarker(step, books.totalSteps), step);
    verbose(phaseMarker('rollout'), step);
    books.progress('rollout');
  }

  async function collect(step: number): Promise<Collected> {
    const startedAt = now();
    await publisher.serve(state.policy_version, control.stopping);
    const weightSyncSeconds = (now() - startedAt) / 1000;
    const {
      groups: played,
      next,
      rounds,
    } = await sampleGroups<RolloutGroup>({
      order,
      from: state.data_position,
      wanted: params.tasksPerStep,
      maxRounds: grpo.dynamic_sampling ? grpo.max_sampling_rounds : 1,
      saysSomething: (group) => group.skipped === null && grpoBatch([group], batchOptions).groupsKept > 0,
      async play(indices, place) {
        logs.rollout.info(collectingRollouts(indices.length, rollout.num_rollouts), { step });
        return collectRollouts({
          environment,
          tasks: await tasks.take(indices),
          firstTask: place,
          rollouts: rollout.num_rollouts,
          concurrency: rollout.concurrency,
          seed: spec.seed,
          purpose: ['rollout', step],
          signal: control.stopping,
          onGroup: (group) => {
            logRollouts(logs.rollout, group);
            if (group.skipped !== null) logs.rollout.warning(`Left out: ${group.skipped.message}`, { step });
            books.alive();
          },
        });
      },
    });
    const seconds = (now() - startedAt) / 1000;
    const collected = collectedOf(played, { next, rounds, seconds, weightSyncSeconds, ahead: {} });
    logs.rollout.info(rolloutsCollected(seconds, collected.accuracy), { step });
    return collected;
  }

  async function learn(step: number, groups: readonly RolloutGroup[]): Promise<Learned> {
    const startedAt = now();
    verbose(phaseMarker('advantages'), step);
    books.progress('training');
    const batch = grpoBatch(groups, batchOptions);
    logs.training.info(computingAdvantages(batch.groupsKept, batch.groupsFiltered), { step });

    verbose(phaseMarker('backpropagation'), step);
    const learningRate = learningRateAt(schedule, state.global_step);
    const seconds = () => (now() - startedAt) / 1000;
    const version = state.policy_version;
    if (batch.trainableTokens === 0) {
      return {
        batch,
        loss: 0,
        objective: emptyGrpoMetrics(),
        learningRate,
        gradNorm: null,
        version,
        seconds: seconds(),
      };
    }
    await handOff.toTrainer(control.stopping);
    const updated = await updatePolicy({
      ...{ learner, policy, batch, limits, grpo, step, learningRate },
      temperature: rollout.temperature,
      version,
      signal: control.stopping,
      alive: books.alive,
      turn,
      changing: publisher.policyChanges,
    });
    return { batch, ...updated, learningRate, version, seconds: seconds() };
  }

  function report(collected: Collected, learned: Learned): void {
    const { rollouts, groups, accuracy } = collected;
    const { batch, loss, objective, learningRate, gradNorm } = learned;
    const { groupsKept, groupsFiltered, trainableTokens, totalTokens } = batch;
    const { global_step: step, epoch } = state;
    const seconds = { rolloutSeconds: collected.seconds, trainingSeconds: learned.seconds };
    const finishedEarly = rollouts.filter(({ messages }) => messages < rollout.max_turns * 2).length;
    const { weightSyncSeconds } = collected;
    const cost = performance.measure({ ...seconds, samples: rollouts.length, tokens: totalTokens, weightSyncSeconds });
    const at = { step, epoch, loss, learningRate, gradNorm };
    const groupCounts = { groupsKept, groupsFiltered, trainableTokens, totalTokens };
    books.recordStep({
      ...grpoStepMetrics({
        ...at,
        ...groupCounts,
        objective,
        accuracy,
        rewards: statisticsOf(rollouts.map(({ reward }) => reward)),
        groupsSkipped: collected.skipped,
        earlyExits: finishedEarly,
        samplingRounds: collected.rounds,
        truncated: batch.truncated / rollouts.length,
        overlongPenalty: batch.overlongPenalty,
        staleness: statisticsOf(rollouts.map(({ version }) => learned.version - version)).mean,
        completionLength: statisticsOf(rollouts.map(({ completion }) => completion.length)).mean,
      }),
      ...rewardMetrics(rollouts.map(({ rewards }) => rewards)),
      ...collected.ahead,
      ...retries(),
      ...cost,
    });
    books.progress('training');
    logs.training.info(trainingStep({ loss, policyLoss: objective.policyLoss, klLoss: objective.klLoss }), { step });
    logs.training.info(books.stepLine(), { step });
    logs.performance.info(performanceLine(cost), { step });
    const idle = idleWatch(step, groupsKept);
    if (idle !== null) logs.training.warning(idle, { step });
    const counts = { totalGroups: groups.length, rollouts: rollouts.length, finishedEarly };
    verbose(groupSummary({ ...counts, ...groupCounts, ...seconds }), step);
  }

  return { begin, collect, learn, report };
}
