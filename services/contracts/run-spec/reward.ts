import { z } from 'zod';
import { field } from '../field.ts';

/**
 * A reward of a name: the options that all of them have, and its own.
 * @param what of a completion it scores
 */
function rewardOf<const Name extends string, Own extends z.ZodRawShape>(name: Name, what: string, own: Own) {
  return z.strictObject({
    name: field(z.literal(name), what, name),
    ...own,
    weight: field(z.number().default(1), 'Factor in the sum of rewards.', 1),
  });
}

/** Of those that can fail to score. */
const onFailure = {
  on_failure: field(
    z.enum(['fail', 'skip']).default('fail'),
    'When it cannot score a completion: `fail` ends the run; `skip` leaves the whole task out of the step, and counts it.',
    'skip',
  ),
};

const exactSchema = rewardOf('exact', 'The trimmed completion equals the answer.', {}).meta({
  id: 'ExactReward',
  description: 'The trimmed completion equals the answer.',
});

const numericSchema = rewardOf(
  'numeric',
  'The last number in the completion equals the last one in the answer.',
  {},
).meta({ id: 'NumericReward', description: 'The last number equals that of the answer.' });

const boxedSchema = rewardOf(
  'boxed',
  'What the last `\\boxed{…}` holds equals the answer, as a number or as a formula without its layout.',
  {},
).meta({ id: 'BoxedReward', description: 'The boxed result equals the answer.' });

const regexSchema = rewardOf('regex', 'A regular expression is found in the completion.', {
  pattern: field(
    z.string().min(1).max(10_000),
    'JavaScript regular expression; anchor it with ^ and $ to match the whole completion.',
    '^<think>.*</think>\\s*<answer>.*</answer>$',
  ),
  flags: field(
    z
      .string()
      .regex(
        /^(?!.*(.).*\1)[imsu]*$/,
        'takes i (any case), m (lines), s (. matches line ends) and u (unicode), each once',
      )
      .default(''),
    'Of `i`, `m`, `s` and `u`.',
    's',
  ),
  ...onFailure,
})
  .superRefine(({ pattern, flags }, context) => {
    const problem = complaint(() => new RegExp(pattern, flags));
    if (problem !== null)
      context.addIssue({ code: 'custom', path: ['pattern'], message: `is no regular expression: ${problem}` });
  })
  .meta({ id: 'RegexReward', description: 'A pattern is found.' });

const jsonSchemaSchema = rewardOf(
  'json_schema',
  'The completion, or the last fenced block in it, is JSON that the schema admits.',
  {
    schema: field(
      z.record(z.string(), z.unknown()).superRefine((schema, context) => {
        const problem = complaint(() => z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]));
        if (problem !== null)
          context.addIssue({ code: 'custom', message: `is no JSON schema that can be used: ${problem}` });
      }),
      'JSON schema (draft 2020-12, without if/then/else).',
      { type: 'object', required: ['answer'], properties: { answer: { type: 'integer' } } },
    ),
    ...onFailure,
  },
).meta({ id: 'JsonSchemaReward', description: 'The completion is JSON of a shape.' });

const lengthSchema = rewardOf('length', '1 from `min` to `max`, falling to 0 over `slack` outside.', {
  unit: field(z.enum(['tokens', 'characters']).default('tokens'), 'What is counted.', 'characters'),
  min: field(z.int().min(0).default(0), 'Shortest length that scores 1; the same as `max` for a target.', 0),
  max: field(z.int().min(0).nullable().default(null), 'Longest length that scores 1; null: any.', 200),
  slack: field(z.int().min(0).default(0), 'Over so many more or fewer the score falls evenly to 0; 0: at once.', 50),
})
  .superRefine(({ min, max }, context) => {
    if (max === null && min === 0)
      context.addIssue({
        code: 'custom',
        path: ['max'],
        message: 'is needed, or min: without them every length scores 1',
      });
    else if (max !== null && max < min)
      context.addIssue({ code: 'custom', path: ['max'], message: `must be at least min (${min})` });
  })
  .meta({ id: 'LengthReward', description: 'The length is within limits.' });

/** A file of the user's, with the function in it. */
const FUNCTION = /^(.+\.(?:py|mjs|cjs|js)):([A-Za-z_$][\w$]*)$/;

const functionSchema = rewardOf('function', 'A function of your own, in a process of its own.', {
  function: field(
    z
      .string()
      .regex(
        FUNCTION,
        'must be a file and the function in it, such as rewards/score.py:score (.py, .mjs, .cjs or .js)',
      ),
    '`file:function`; see the README of the trainer for how it is called.',
    'rewards/score.py:score',
  ),
  timeout: field(
    z.number().positive().max(3600).default(60),
    'Seconds that one call, for the completions of one task, may take.',
    60,
  ),
  memory_mb: field(z.int().min(64).max(1_048_576).default(2048), 'Memory that its process may use, in MiB.', 2048),
  ...onFailure,
}).meta({ id: 'FunctionReward', description: 'A function in a file scores.' });

const httpSchema = rewardOf(
  'http',
  'A server scores: POST of `{completions, completion_ids, prompts, answers, columns}`.',
  {
    url: field(z.string().min(1), 'Where it listens.', 'http://127.0.0.1:9000/score'),
    timeout: field(z.number().positive().max(3600).default(30), 'Seconds to wait for an answer.', 30),
    retries: field(
      z.int().min(0).max(20).default(4),
      'How often it is asked again after a broken connection, a timeout, a 5xx, 408 or 429, waiting 0.5 s and twice as long each time, or as long as its Retry-After asks; a minute at most.',
      4,
    ),
    ...onFailure,
  },
).meta({ id: 'HttpReward', description: 'A server scores.' });

export const rewardSchema = z
  .discriminatedUnion('name', [
    exactSchema,
    numericSchema,
    boxedSchema,
    regexSchema,
    jsonSchemaSchema,
    lengthSchema,
    functionSchema,
    httpSchema,
  ])
  .meta({ id: 'RewardSpec', description: 'How a completion is scored.' });
export type RewardSpec = z.output<typeof rewardSchema>;

/** The file and the function that a `function` reward names. */
export function splitFunction(named: string): { readonly file: string; readonly name: string } {
  const [, file, name] = FUNCTION.exec(named) ?? [];
  if (file === undefined || name === undefined) throw new TypeError(`${named} is no file:function`);
  return { file, name };
}

function complaint(work: () => unknown): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
