import { z } from 'zod';
import type { RewardSpec } from '../../../contracts/run-spec/reward.ts';
import { MATCH_MS } from './regex.ts';
import { ScoringError } from './scorer.ts';
import { isTimeUp, withinTime } from './within-time.ts';

type JsonSchemaSpec = Extract<RewardSpec, { name: 'json_schema' }>;

/** 1 when the completion, or the last fenced block in it, is JSON that the schema admits. @throws ScoringError when that cannot be told in time */
export function createJsonSchemaReward({ schema }: Pick<JsonSchemaSpec, 'schema'>) {
  const admitted = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
  return (completion: string): number => {
    const document = parse(completion);
    if (document === undefined) return 0;
    try {
      return withinTime(MATCH_MS, () => (admitted.safeParse(document).success ? 1 : 0));
    } catch (error) {
      if (!isTimeUp(error)) throw error;
      const problem = `the schema was not done after ${MATCH_MS / 1000} s`;
      throw new ScoringError(problem, 'Look at its patterns: one of them backtracks.');
    }
  };
}

function parse(completion: string): unknown {
  const fenced = [...completion.matchAll(/```(?:json)?\s*\n([\s\S]*?)\n\s*```/g)].at(-1)?.[1];
  try {
    return JSON.parse(fenced ?? completion);
  } catch {
    return undefined;
  }
}
