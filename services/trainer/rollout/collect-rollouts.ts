import { deriveSeed } from '../../model/random.ts';
import type { PromptExample } from '../data/readers/prompt-reader.ts';
import { TrainerError } from '../failure.ts';
import { TaskSkipped } from './rewards/reward.ts';

/** One completion of a task and what it was worth. */
export interface Rollout {
  readonly completion: readonly number[];
  /** As the server reported them, per completion token. */
  readonly logprobs: readonly number[];
  readonly text: string;
  /** Whether it was cut off at the longest length, instead of coming to its end. */
  readonly truncated: boolean;
  /** The sum by weight. */
  readonly reward: number;
  /** Of each reward that scores it, before its weight. */
  readonly rewards: Readonly<Record<string, number>>;
  readonly success: boolean;
  readonly turns: number;
  readonly messages: number;
  /** Of the policy that made it; of several the oldest. */
  readonly version: number;
}

/** The rollouts of one task: the group that GRPO compares. */
export interface RolloutGroup {
  readonly task: PromptExample;
  readonly rollouts: readonly Rollout[];
  /** Why it has none; null when it was scored. */
  readonly skipped: TrainerError | null;
}

export interface Environment {
  /** Plays a task `count` times. @throws TaskSkipped when it cannot be scored and is to be left out */
  play(task: PromptExample, count: number, seed: number, signal: AbortSignal): Promise<Rollout[]>;
}

/**
 * Plays all tasks, `concurrency` at a time. Seeds depend on the run's seed, `purpose` and the task's place alone, and the groups come
 * back in the order of the tasks, so the order in which completions arrive is not to be seen.
 *
 * @param onGroup called in the order of the tasks, as soon as that order allows
 */
export async function collectRollouts(params: {
  readonly environment: Environment;
  readonly tasks: readonly PromptExample[];
  /** Place of the first of them, where they are a part of what is played for one purpose. */
  readonly firstTask?: number;
  readonly rollouts: number;
  readonly concurrency: number;
  readonly seed: number;
  readonly purpose: readonly (string | number)[];
  readonly signal: AbortSignal;
  readonly onGroup?: (group: RolloutGroup) => void;
}): Promise<RolloutGroup[]> {
  const { environment, tasks, seed, purpose, signal, onGroup, firstTask = 0 } = params;
  const groups: RolloutGroup[] = [];
  const done = new Map<number, RolloutGroup>();
  let next = 0;

  async function worker(): Promise<void> {
    while (next < tasks.length) {
      const index = next++;
      const given = { count: params.rollouts, seed: taskSeed(seed, purpose, firstTask + index), signal };
      done.set(index, await playTask(environment, tasks[index]!, given));
      handOver();
    }
  }

  function handOver(): void {
    for (let group = done.get(groups.length); group; group = done.get(groups.length)) {
      groups.push(group);
      onGroup?.(group);
    }
  }

  await Promise.all(Array.from({ length: Math.min(params.concurrency, tasks.length) }, worker));
  return groups;
}

/** 48 bits: an integer that JSON and every server carry unharmed. */
export function taskSeed(seed: number, purpose: readonly (string | number)[], index: number): number {
  return Number(BigInt.asUintN(48, deriveSeed(seed, ...purpose, index)));
}

/** One group; without rollouts where the task cannot be scored and is to be left out. */
export async function playTask(
  environment: Environment,
  task: PromptExample,
  { count, seed, signal }: { readonly count: number; readonly seed: number; readonly signal: AbortSignal },
): Promise<RolloutGroup> {
  try {
    return { task, rollouts: await environment.play(task, count, seed, signal), skipped: null };
  } catch (error) {
    if (!(error instanceof TaskSkipped)) throw error;
    return { task, rollouts: [], skipped: error.cause };
  }
}

/**
 * Those that can be learned from.
 * @throws TrainerError `reward_error` when there are none: a reward that never scores must not pass for training
 */
export function requireScored<G extends Pick<RolloutGroup, 'skipped'>>(groups: readonly G[]): G[] {
  const scored = groups.filter(({ skipped }) => skipped === null);
  const [first] = groups;
  if (scored.length > 0 || !first?.skipped) return scored;
  const { message, remedy } = first.skipped;
  const count = groups.length === 1 ? 'The only task' : `All ${groups.length} tasks`;
  throw new TrainerError('reward_error', `${count} had to be left out; the first: ${message}`, remedy, {
    cause: first.skipped,
  });
}
