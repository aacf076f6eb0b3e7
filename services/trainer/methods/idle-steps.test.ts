import { expect, test } from 'vitest';
import { createIdleWatch } from './idle-steps.ts';

/** Steps at which it warns, when steps keep so many groups. */
function warnings(kept: readonly number[]): [number, string][] {
  const watch = createIdleWatch();
  return kept.flatMap((groups, i) => {
    const warning = watch(i + 1, groups);
    return warning === null ? [] : [[i + 1, warning] as [number, string]];
  });
}
const idle = (steps: number) => Array.from({ length: steps }, () => 0);

test('ten steps in a row without a group to learn from are warned of, once', () => {
  const [first, ...more] = warnings([2, ...idle(25), 1, ...idle(10)]);
  expect(first).toEqual([11, expect.stringMatching(/^Steps 2 to 11 learned nothing: .*rollout\.temperature/)]);
  expect(more).toEqual([]);
});

test('a step that learns begins the count anew', () => {
  expect(warnings([...idle(9), 1, ...idle(9)])).toEqual([]);
});
