import { expect, test } from 'vitest';
import { explainEnd, notStarted } from './function-failures.ts';

const end = (printed: string, killed: string | null = null, code: number | null = 1) =>
  explainEnd({ printed, starved: false }, { code, killed, isPython: true, memoryMb: 512 });

test('what ended a process is told by the last of its own words, without frames of the engine', () => {
  const printed = 'scoring\nboom\n----- Native stack trace -----\n\n 1: 0xb7a940 node::Abort()\n 2: 0xb7c1f2 [node]\n';
  expect(end(printed, 'SIGABRT', null).message).toBe('ended with SIGABRT: scoring | boom');
  expect(end('', 'SIGKILL', null)).toMatchObject({
    message: 'ended with SIGKILL',
    remedy: expect.stringContaining('Look whether the machine ran out of memory'),
  });
});

test.each([
  'numpy.core._exceptions._ArrayMemoryError: Unable to allocate 8 GiB',
  "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc",
])('memory that ran out is recognised: %s', (printed) => {
  expect(end(printed).message).toBe('ran out of memory: its process may use 512 MiB (memory_mb)');
});

test('without Python the message says where it is looked for', () => {
  expect(notStarted('python3', Object.assign(new Error('spawn python3 ENOENT'), { code: 'ENOENT' }))).toMatchObject({
    message: 'cannot be started: python3 is not in the image of the trainer, nor else on its PATH',
    remedy: expect.stringContaining('write the function in JavaScript'),
  });
});
