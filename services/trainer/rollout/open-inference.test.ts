import { expect, test } from 'vitest';
import { runSpecSchema } from '../../contracts/run-spec.ts';
import { patienceSeconds } from './open-inference.ts';

test.each([
  [{}, 600],
  [{ starting_inference: 3000 }, 3000],
])('a server that is started anew is waited for longer than its start may take: %j', (deadlines, start) => {
  const spec = runSpecSchema.parse({ model: { name: 'm' }, recovery: { deadlines } });
  expect(patienceSeconds(spec)).toBeGreaterThan(start);
});
