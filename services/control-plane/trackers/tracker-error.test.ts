import { expect, it } from 'vitest';
import { judgeAnswer, type TrackerWords } from './tracker-error.ts';

const words: TrackerWords = {
  unknown: 'nobody; sign in',
  forbidden: 'not yours; ask for it',
  refused: 'change the settings',
  unreachable: 'look at the network',
  notJson: 'look at the address',
};
const NOW = Date.UTC(2026, 10, 20, 12);
const judge = (status: number, change: { said?: string; retryAfter?: string } = {}) =>
  judgeAnswer(
    { ...{ url: 'http://there', status, what: 'log', said: '', code: null, retryAfter: undefined }, ...change },
    words,
    NOW,
  );

it.each([
  [401, 'key', 900_000, 'http://there answered 401 to log: nobody; sign in'],
  [403, 'key', 900_000, 'http://there answered 403 to log: not yours; ask for it'],
  [404, 'refused', 900_000, 'http://there answered 404 to log; change the settings'],
  [408, 'unreachable', 0, 'http://there answered 408 to log; it is tried again'],
  [429, 'throttled', 30_000, 'http://there answered 429 to log: too many requests; it is tried again'],
  [503, 'unreachable', 0, 'http://there answered 503 to log; it is tried again'],
] as const)('an answer %i is %s and holds for %i ms', (status, kind, holdMs, message) => {
  expect(judge(status)).toMatchObject({ kind, holdMs, message });
});

it('what the server said is quoted', () => {
  expect(judge(404, { said: 'no such run' }).message).toContain('to log (no such run); change');
});

it.each([
  ['7', 7000],
  ['Fri, 20 Nov 2026 12:01:30 GMT', 90_000],
  ['Fri, 20 Nov 2026 11:00:00 GMT', 0],
  ['86400', 3_600_000],
  ['soon', 30_000],
])('Retry-After %s is a wait of %i ms', (retryAfter, holdMs) => {
  expect(judge(429, { retryAfter }).holdMs).toBe(holdMs);
});
