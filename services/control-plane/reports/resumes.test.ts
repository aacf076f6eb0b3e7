import { expect, it } from 'vitest';
import { resumesOf } from './resumes.ts';

const attempt = (number: number, from: string | null, step: number | null) => ({
  number,
  resumed_from: from,
  resumed_step: step,
});

it('are those on the chain of the newest attempt, oldest first', () => {
  const attempts = [
    attempt(1, null, null),
    attempt(2, 'run-a/a1/checkpoint-20', 20),
    attempt(3, 'run-a/a1/checkpoint-10', 10),
    attempt(4, 'run-a/a3/checkpoint-30', 30),
  ];
  expect(resumesOf('run-a', attempts)).toEqual([
    { attempt: 3, step: 10 },
    { attempt: 4, step: 30 },
  ]);
});

it('end where the run came from another one, or began anew', () => {
  expect(resumesOf('run-a', [attempt(1, 'run-b/a7/checkpoint-5', 5)])).toEqual([{ attempt: 1, step: 5 }]);
  expect(resumesOf('run-a', [attempt(1, null, null), attempt(2, null, null)])).toEqual([]);
});
