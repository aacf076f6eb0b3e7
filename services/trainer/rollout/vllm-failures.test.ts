import { expect, test } from 'vitest';
import { ReplyTooLong } from './http-call.ts';
import { explainNoAnswer, explainStatus } from './vllm-failures.ts';

const page = '<html>\n<head><title>502 Bad Gateway</title></head><body>nginx</body></html>';

test.each<[number, string, string | undefined, object]>([
  [429, '{"error":{}}', undefined, { kind: 'busy', retryAfterMs: null }],
  [429, '', '7', { kind: 'busy', retryAfterMs: 7000 }],
  [503, '', '86400', { kind: 'busy', retryAfterMs: 60_000 }],
  [503, '', undefined, { kind: 'unreachable' }],
  [408, '', undefined, { kind: 'unreachable' }],
  [404, '{"error":{"message":"The model `x` does not exist."}}', undefined, { kind: 'unknown_model' }],
  [404, page, undefined, { kind: 'refused' }],
  [401, '', undefined, { kind: 'refused' }],
  [307, '', undefined, { kind: 'refused' }],
  [400, 'the prompt is too long', undefined, { kind: 'refused', message: expect.stringContaining('is too long') }],
  [500, 'Out of range float values are not JSON compliant', undefined, { kind: 'not_numbers' }],
  [
    ...([502, page, undefined] as const),
    { kind: 'unreachable', message: expect.stringMatching(/answered 502 to .*: a page of HTML \(502 Bad Gateway\)/) },
  ],
])('a status of %i that says %j and to come back after %s', (status, text, retryAfter, expected) => {
  expect(explainStatus('v1/completions', { status, text, retryAfter })).toMatchObject(expected);
});

test.each<[unknown, object]>([
  [new ReplyTooLong(3 * 2 ** 20), { kind: 'garbled', message: expect.stringContaining('more than 3 MiB') }],
  [new DOMException('late', 'TimeoutError'), { kind: 'timeout', message: expect.stringContaining('within 2 s') }],
  [
    Object.assign(new Error('no'), { code: 'ECONNREFUSED' }),
    { kind: 'unreachable', message: expect.stringContaining('(ECONNREFUSED)') },
  ],
])('no answer: %s', (error, expected) => {
  expect(explainNoAnswer('http://h/v1', error, 2000)).toMatchObject(expected);
});
