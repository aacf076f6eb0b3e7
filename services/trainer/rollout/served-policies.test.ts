import { expect, test, vi } from 'vitest';
import { createServedPolicies } from './served-policies.ts';
import type { PublishedPolicy } from './vllm-client.ts';

const never = new AbortController().signal;
const policy: PublishedPolicy = { kind: 'adapter', version: 3, name: 'v3', path: '/adapters/v3' };

/** Uses the policy until it is told to end. */
function begin(policies = createServedPolicies()) {
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const used = policies.use([policy], () => ended);
  return { policies, used, end: () => end() };
}

test('a policy is drained when the last who used it is done, at once', async () => {
  const first = begin();
  const second = begin(first.policies);
  const drained = vi.fn();
  void first.policies.drained(policy, never).then(drained);
  void first.policies.drained(policy, never).then(drained);
  first.end();
  await first.used;
  expect(drained).not.toHaveBeenCalled();
  second.end();
  await second.used;
  await new Promise((later) => setImmediate(later));
  expect(drained).toHaveBeenCalledTimes(2);
  expect(first.policies.inUse()).toEqual([]);
});

test('stopping ends the wait at once, and leaves the policy in use', async () => {
  const { policies } = begin();
  const stop = new AbortController();
  const waiting = policies.drained(policy, stop.signal);
  stop.abort(new Error('stop'));
  await expect(waiting).rejects.toThrow('stop');
  await expect(policies.drained(policy, stop.signal)).rejects.toThrow('stop');
  expect(policies.inUse()).toEqual([policy]);
});
