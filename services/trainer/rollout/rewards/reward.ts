import { type RewardSpec, splitFunction } from '../../../contracts/run-spec/reward.ts';
import type { RunSpec } from '../../../contracts/run-spec.ts';
import type { PromptExample } from '../../data/readers/prompt-reader.ts';
import { TrainerError } from '../../failure.ts';
import { boxedReward } from './boxed.ts';
import { exactReward } from './exact.ts';
import { openFunctionReward } from './function-reward.ts';
import { createHttpReward } from './http-reward.ts';
import { createJsonSchemaReward } from './json-schema.ts';
import { lengthReward } from './length.ts';
import { numericReward } from './numeric.ts';
import { createRegexReward } from './regex.ts';
import { type Completion, pureScorer, type Scorer, ScoringError } from './scorer.ts';
import { type OneScore, requireScores, weighScores } from './weigh-scores.ts';

/** What a completion is worth. */
export interface Score {
  /** The sum by weight of the rewards that score it. */
  readonly total: number;
  /** Whether each of them calls it right (1). */
  readonly success: boolean;
  /** Of each of them, before its weight, by its label. */
  readonly parts: Readonly<Record<string, number>>;
}

/** A task whose completions could not be scored by a reward with `on_failure: skip`: nothing is learned from it. */
export class TaskSkipped extends Error {
  override readonly name = 'TaskSkipped';
  override readonly cause: TrainerError;

  constructor(cause: TrainerError) {
    super(cause.message, { cause });
    this.cause = cause;
  }
}

/** The weighted sum of a run's rewards. */
export interface Reward {
  /** @throws TrainerError `reward_error` for what is no score, or TaskSkipped where the reward says so */
  score(task: PromptExample, completions: readonly Completion[], signal: AbortSignal): Promise<Score[]>;
  close(): Promise<void>;
}

/** The first reward that compares with the answer of the row, as messages name it; null where none does. */
export function needsAnswer(spec: RunSpec['reward']): string | null {
  const found = spec.find(({ name }) => name === 'exact' || name === 'numeric' || name === 'boxed');
  return found === undefined ? null : `the reward ${found.name}`;
}

/**
 * @param files where the files of the `function` rewards lie here, in their order
 * @throws TrainerError `reward_error` when one of them cannot be loaded
 */
export async function openReward(spec: RunSpec['reward'], files: readonly string[]): Promise<Reward> {
  const waiting = [...files];
  const opened: Opened[] = [];
  const close = async () => void (await Promise.all(opened.map(({ scorer }) => scorer.close())));
  try {
    for (const each of spec) {
      const taken = opened.map(({ scorer }) => scorer.label);
      const file = each.name === 'function' ? waiting.shift() : undefined;
      opened.push({ scorer: await openScorer(each, labelOf(each, taken), file), spec: each });
    }
  } catch (error) {
    await close();
    throw error;
  }

  const weights = spec.map(({ weight }) => weight);
  return {
    close,
    async score(task, completions, signal) {
      const columns = await Promise.all(opened.map((each) => scoresOf(each, task, completions, signal)));
      const scores = completions.map((_, i) => columns.map((column) => column[i]!));
      requireOneEach(spec, task, scores);
      return scores.map((each) => ({
        ...weighScores(weights, each),
        parts: Object.fromEntries(
          opened.flatMap(({ scorer }, i) => (each[i] === null ? [] : [[scorer.label, each[i]!]])),
        ),
      }));
    },
  };
}

interface Opened {
  readonly scorer: Scorer;
  readonly spec: RewardSpec;
}

async function openScorer(spec: RewardSpec, label: string, file: string | undefined): Promise<Scorer> {
  switch (spec.name) {
    case 'exact':
      return pureScorer(label, ({ text }, answer) => exactReward(text, answer));
    case 'numeric':
      return pureScorer(label, ({ text }, answer) => numericReward(text, answer));
    case 'boxed':
      return pureScorer(label, ({ text }, answer) => boxedReward(text, answer));
    case 'regex': {
      const matches = createRegexReward(spec);
      return pureScorer(label, ({ text }) => matches(text));
    }
    case 'json_schema': {
      const admits = createJsonSchemaReward(spec);
      return pureScorer(label, ({ text }) => admits(text));
    }
    case 'length':
      return pureScorer(label, (completion) => lengthReward(completion, spec));
    case 'http':
      return createHttpReward(spec, label);
    case 'function': {
      if (file === undefined)
        throw rewardError(`${spec.function}: its file did not come with the attempt`, 'Submit the run again.');
      return await openFunctionReward(spec, file, label).catch((error: unknown) => {
        throw error instanceof ScoringError ? rewardError(`${spec.function} ${error.message}`, error.remedy) : error;
      });
    }
  }
}

/** All scores of one reward for a task. */
async function scoresOf(
  { scorer, spec }: Opened,
  task: PromptExample,
  completions: readonly Completion[],
  signal: AbortSignal,
): Promise<readonly OneScore[]> {
  try {
    return requireScores(await scorer.score(task, completions, signal), {
      count: completions.length,
      weight: spec.weight,
      // A server has no way to tell it from NaN, for which JSON has no other word.
      leavesOut: spec.name === 'function',
      remedy:
        spec.name === 'http'
          ? 'Let the server answer {"scores": [...]} with one finite number for each completion, in their order.'
          : 'Return a list with one finite number for each completion, in their order; None (null) leaves this reward out for a completion.',
    });
  } catch (error) {
    if (!(error instanceof ScoringError)) throw error;
    const at = placeOf(task, { index: error.index, count: completions.length });
    throw failureOf([spec], rewardError(`${titleOf(spec)} ${at}: ${error.message}`, error.remedy));
  }
}

/** Where no reward has anything to say of a completion, there is nothing to learn from, and 0 would be a lie. */
function requireOneEach(spec: readonly RewardSpec[], task: PromptExample, scores: readonly OneScore[][]): void {
  const index = scores.findIndex((each) => each.every((score) => score === null));
  if (index < 0) return;
  const titles = spec.map(titleOf).join(', ');
  const what = spec.length === 1 ? 'gave it no score' : 'none of them gave it a score';
  const failure = rewardError(
    `${titles} ${placeOf(task, { index, count: scores.length })}: ${what} (None)`,
    'Return a number for each completion from one reward at least, or leave such tasks out with on_failure: skip.',
  );
  throw failureOf(spec, failure);
}

function placeOf({ id }: PromptExample, at: { readonly index: number | null; readonly count: number }): string {
  return `(task ${id}${at.index === null ? '' : `, completion ${at.index + 1} of ${at.count}`})`;
}

/** The task is left out where every reward concerned says so. */
function failureOf(spec: readonly RewardSpec[], failure: TrainerError): Error {
  return spec.every((each) => 'on_failure' in each && each.on_failure === 'skip') ? new TaskSkipped(failure) : failure;
}

function titleOf(spec: RewardSpec): string {
  if (spec.name === 'function') return `the reward ${spec.function}`;
  return spec.name === 'http' ? `the reward ${spec.url}` : `the reward ${spec.name}`;
}

/** The function's name or the reward's; a number tells rewards of one name apart. */
function labelOf(spec: RewardSpec, taken: readonly string[]): string {
  const name = spec.name === 'function' ? splitFunction(spec.function).name : spec.name;
  if (!taken.includes(name)) return name;
  let count = 2;
  while (taken.includes(`${name}_${count}`)) count += 1;
  return `${name}_${count}`;
}

function rewardError(message: string, remedy: string): TrainerError {
  return new TrainerError('reward_error', message, remedy);
}
