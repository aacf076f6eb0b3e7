import { z } from 'zod';
import type { RewardSpec } from '../../../contracts/run-spec/reward.ts';
import { MATCH_MS } from './regex.ts';
import { ScoringError } from './scorer.ts';
import { isTimeUp, withinTime } from './within-time.ts';

type JsonSchemaSpec = Extract<RewardSpec, { name: 'json_schema' }>;

/** A schema may refer to itself, and each level of a document then takes some of the stack. */
const DEEPEST = 100;

/** 1 when the completion, or the last fenced block in it, is JSON that the schema admits. @throws ScoringError when that cannot be told */
export function createJsonSchemaReward({ schema }: Pick<JsonSchemaSpec, 'schema'>) {
  const admitted = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  const score = (completion: string) => {
    const document = parse(completion);
    return document !== undefined && !isDeeper(document, DEEPEST) && admitted.safeParse(document).success ? 1 : 0;
  };
  return (completion: string): number => {
    try {
      return withinTime(MATCH_MS, () => score(completion));
    } catch (error) {
      if (error instanceof RangeError)
        throw new ScoringError('the schema took all of the stack', 'Look whether a part of it refers to itself.');
      if (!isTimeUp(error)) throw error;
      const problem = `the schema was not done after ${MATCH_MS / 1000} s`;
      throw new ScoringError(problem, 'Look at its patterns: one of them backtracks.');
    }
  };
}

function parse(completion: string): unknown {
  try {
    return JSON.parse(lastBlock(completion) ?? completion);
  } catch {
    return undefined;
  }
}

/** What the last fenced block holds that is closed, and JSON or of no stated language; null where there is none. By lines: completions may be hostile. */
function lastBlock(text: string): string | null {
  let found: string | null = null;
  let open: { readonly isJson: boolean; readonly lines: string[] } | null = null;
  for (const line of text.split('\n')) {
    if (open === null) {
      const fence = line.indexOf('```');
      const language = fence < 0 ? null : line.slice(fence + 3).trim();
      // Of what begins and ends in one line the rest is no language.
      if (language !== null && !/[\s`]/.test(language)) open = { isJson: /^(?:json)?$/.test(language), lines: [] };
    } else if (line.trimStart().startsWith('```')) {
      if (open.isJson) found = open.lines.join('\n');
      open = null;
    } else open.lines.push(line);
  }
  return found;
}

function isDeeper(document: unknown, limit: number): boolean {
  let level = containers([document]);
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = containers(level.flatMap((each): unknown[] => Object.values(each)));
  }
  return false;
}

function containers(values: readonly unknown[]): object[] {
  return values.filter((value) => typeof value === 'object' && value !== null);
}
