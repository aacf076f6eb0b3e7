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

/** What a completion is worth. */
export interface Score {
  /** The sum by weight. */
  readonly total: number;
  /** Of each reward, before its weight, by its label. */
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
  /** The score of a completion that every reward calls right (1): what counts as success. */
  readonly highest: number;
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
  const scorers: { readonly scorer: Scorer; readonly spec: RewardSpec }[] = [];
  const close = async () => void (await Promise.all(scorers.map(({ scorer }) => scorer.close())));
  try {
    for (const each of spec) {
      const taken = scorers.map(({ scorer }) => scorer.label);
      const file = each.name === 'function' ? waiting.shift() : undefined;
      scorers.push({ scorer: await openScorer(each, labelOf(each, taken), file), spec: each });
    }
  } catch (error) {
    await close();
    throw error;
  }

  return {
    highest: spec.reduce((sum, { weight }) => sum + Math.max(0, weight), 0),
    close,
    async score(task, completions, signal) {
      const columns = await Promise.all(scorers.map((each) => scoresOf(each, task, completions, signal)));
      return completions.map((_, i) => {
        return {
          total: spec.reduce((sum, { weight }, reward) => sum + weight * columns[reward]![i]!, 0),
          parts: Object.fromEntries(scorers.map(({ scorer }, reward) => [scorer.label, columns[reward]![i]!])),
        };
      });
    },
  };
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

/** A larger reward, or a difference of two, would overflow float32 (3.4e38) in the gradients, and its square even float64 (1.8e308). */
const LARGEST = 1e30;

/** All scores of one reward for a task, each a finite number that can be computed with. */
async function scoresOf(
  { scorer, spec }: { readonly scorer: Scorer; readonly spec: RewardSpec },
  task: PromptExample,
  completions: readonly Completion[],
  signal: AbortSignal,
): Promise<readonly number[]> {
  try {
    return requireScores(await scorer.score(task, completions, signal), completions.length, spec.weight);
  } catch (error) {
    if (!(error instanceof ScoringError)) throw error;
    const sample = error.index === null ? '' : `, completion ${error.index + 1} of ${completions.length}`;
    const failure = rewardError(`${titleOf(spec)} (task ${task.id}${sample}): ${error.message}`, error.remedy);
    throw 'on_failure' in spec && spec.on_failure === 'skip' ? new TaskSkipped(failure) : failure;
  }
}

function requireScores(scores: readonly unknown[], count: number, weight: number): readonly number[] {
  const remedy = 'Return a list with one finite number for each completion, in their order.';
  if (scores.length !== count) throw new ScoringError(`gave ${scores.length} scores for ${count} completions`, remedy);
  const wrong = scores.findIndex((score) => typeof score !== 'number' || !Number.isFinite(score));
  if (wrong >= 0)
    throw new ScoringError(`gave ${JSON.stringify(scores[wrong])}, which is no finite number`, remedy, wrong);
  const numbers = scores as readonly number[];
  const huge = numbers.findIndex((score) => Math.abs(score * weight) > LARGEST);
  if (huge < 0) return numbers;
  const times = weight === 1 ? '' : ` (times its weight ${weight})`;
  throw new ScoringError(
    `gave ${numbers[huge]}${times}, which is too large to learn from: at most ${LARGEST} can be computed with`,
    'Scale the scores, best to about 0 to 1, or lower the weight of the reward.',
    huge,
  );
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
