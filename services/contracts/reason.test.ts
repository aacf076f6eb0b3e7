import { expect, test } from 'vitest';
import { exitReasons, groupOf, reasonGroups, reasons, remedyOf } from './reason.ts';

test('a reason belongs to one group', () => {
  expect(new Set(reasons).size).toBe(reasons.length);
  for (const [group, names] of Object.entries(reasonGroups))
    for (const name of names) expect(groupOf(name)).toBe(group);
});

test('every exit code of a trainer means a failure that a user can be told', () => {
  for (const [code, reason] of Object.entries(exitReasons)) {
    expect(Number(code)).toBeGreaterThan(0);
    expect(['user_error', 'memory', 'infrastructure']).toContain(groupOf(reason));
  }
});

test('every failure comes with something a user can do', () => {
  for (const group of ['user_error', 'memory', 'infrastructure'] as const)
    for (const name of reasonGroups[group]) expect(remedyOf(name)).toMatch(/\w{3}.*\.$/);
  expect(remedyOf('completed')).toBeNull();
});
