import { expect, it } from 'vitest';
import { refusedTransfer } from './transfer-error.ts';

const url = 'http://store.test/tandem/k?X-Amz-Signature=secret';

it.each([
  [404, 'NoSuchKey', 'missing'],
  [404, 'NoSuchBucket', 'refused'],
  [404, undefined, 'unreachable'],
  [404, 'NoSuchUpload', 'expired'],
  [403, undefined, 'expired'],
  [503, undefined, 'unreachable'],
  [507, undefined, 'full'],
  [400, 'EntityTooLarge', 'refused'],
])('%i %s means %s', (status, code, kind) => {
  const error = refusedTransfer(url, status, code);
  expect(error.kind).toBe(kind);
  expect(error.message).toContain(`http://store.test/tandem/k answered ${status}`);
  expect(error.message).not.toContain('secret');
});
