import { expect, test } from 'vitest';
import { rewardSchema } from './reward.ts';

const least: Record<string, Record<string, unknown>> = {
  exact: {},
  numeric: {},
  boxed: {},
  regex: { pattern: 'a' },
  json_schema: { schema: {} },
  length: { max: 9 },
  function: { function: 'score.py:score' },
  http: { url: 'http://127.0.0.1:9/' },
};

test('every reward takes a weight, 1 unless it is said, and nothing that it does not know', () => {
  expect(rewardSchema.options.map(({ shape }) => shape.name.value)).toEqual(Object.keys(least));
  for (const [name, own] of Object.entries(least)) {
    expect(rewardSchema.parse({ name, ...own }), name).toMatchObject({ weight: 1 });
    expect(rewardSchema.parse({ name, ...own, weight: -2 }), name).toMatchObject({ weight: -2 });
    expect(() => rewardSchema.parse({ name, ...own, wieght: 1 }), name).toThrow('wieght');
  }
});

test('what can fail to score says what then becomes of the task', () => {
  const policies = Object.entries(least).map(([name, own]) => {
    const parsed = rewardSchema.parse({ name, ...own });
    return [name, 'on_failure' in parsed ? parsed.on_failure : null];
  });
  const fails = ['regex', 'json_schema', 'function', 'http'];
  expect(policies).toEqual(Object.keys(least).map((name) => [name, fails.includes(name) ? 'fail' : null]));
});
