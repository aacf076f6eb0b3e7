import { expect, test } from 'vitest';
import { createRequestGate, type Lane } from './request-gate.ts';

const never = new AbortController().signal;

function open(limit: number) {
  const gate = createRequestGate(limit);
  const entered: string[] = [];
  const leave = new Map<string, () => void>();
  const ask = (name: string, lane: Lane, sequences = 1, signal = never) =>
    gate.pass(lane, sequences, signal, async () => {
      entered.push(name);
      await new Promise<void>((done) => leave.set(name, done));
    });
  const settle = () => new Promise((done) => setImmediate(done));
  return { ask, entered, settle, leave: (name: string) => leave.get(name)!() };
}

test('no more sequences are there than the limit, and one who asks for more goes alone', async () => {
  const { ask, entered, leave, settle } = open(4);
  const all = [ask('a', 'rollout', 2), ask('b', 'rollout', 3), ask('c', 'rollout', 9)];
  await settle();
  expect(entered).toEqual(['a']);
  leave('a');
  await settle();
  expect(entered).toEqual(['a', 'b']);
  leave('b');
  await settle();
  expect(entered).toEqual(['a', 'b', 'c']);
  leave('c');
  await Promise.all(all);
});

test('an evaluation among waiting rollouts gets every other place, and so do they', async () => {
  const { ask, entered, leave, settle } = open(1);
  const names = ['r1', 'r2', 'r3', 'r4'];
  const all = names.map((name) => ask(name, 'rollout'));
  all.push(...['e1', 'e2', 'e3'].map((name) => ask(name, 'evaluation')));
  for (let i = 0; i < 7; i++) {
    await settle();
    leave(entered[i]!);
  }
  await Promise.all(all);
  expect(entered).toEqual(['r1', 'r2', 'e1', 'r3', 'e2', 'r4', 'e3']);
});

test('who stops waiting keeps nobody back, and a failure gives its place back', async () => {
  const { ask, entered, leave, settle } = open(2);
  const stop = new AbortController();
  const first = ask('a', 'rollout', 2);
  const large = ask('b', 'rollout', 2, stop.signal);
  await settle();
  stop.abort(new Error('stopped'));
  await expect(large).rejects.toThrow('stopped');
  leave('a');
  await first;
  const gate = createRequestGate(1);
  await expect(gate.pass('rollout', 1, never, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed');
  expect(await gate.pass('rollout', 1, never, async () => 'next')).toBe('next');
  expect(entered).toEqual(['a']);
});
