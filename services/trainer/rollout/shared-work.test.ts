import { expect, test } from 'vitest';
import { createSharedWork } from './shared-work.ts';

const never = new AbortController().signal;

function open() {
  const shared = createSharedWork();
  const begun: { signal: AbortSignal; end: () => void; fail: (error: Error) => void }[] = [];
  const join = (signal = never) =>
    shared.join(signal, (inner) => new Promise((end, fail) => void begun.push({ signal: inner, end, fail })));
  return { begun, join };
}

test('those who come while it is done wait for the same, and who comes later begins anew', async () => {
  const { begun, join } = open();
  const both = Promise.all([join(), join()]);
  begun[0]!.end();
  await both;
  void join();
  expect(begun).toHaveLength(2);
});

test('who stops waiting leaves it to the others; once nobody waits it is given up', async () => {
  const { begun, join } = open();
  const [first, second] = [new AbortController(), new AbortController()];
  const waiting = [join(first.signal), join(second.signal)];
  first.abort(new Error('first'));
  await expect(waiting[0]).rejects.toThrow('first');
  expect(begun[0]!.signal.aborted).toBe(false);
  second.abort(new Error('second'));
  await expect(waiting[1]).rejects.toThrow('second');
  expect(begun[0]!.signal.aborted).toBe(true);
  const again = join();
  begun[0]!.fail(new Error('late'));
  begun[1]!.end();
  await again;
});

test('all hear of its failure', async () => {
  const { begun, join } = open();
  const waiting = [join(), join()].map((joined) => joined.catch((error: Error) => error.message));
  begun[0]!.fail(new Error('gone'));
  expect(await Promise.all(waiting)).toEqual(['gone', 'gone']);
});
