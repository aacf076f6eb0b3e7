import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createHandOff, type HandOffStep } from './hand-off.ts';
import type { InferenceServer } from './inference-server.ts';

const never = new AbortController().signal;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function open() {
  let lostMs = 0;
  const lines: string[] = [];
  const handOff = createHandOff({
    ...{ mode: 'none', deadlineSeconds: 1, log: { info: (line) => void lines.push(line) } },
    server: { lostMs: () => lostMs } as InferenceServer,
    now: () => performance.now(),
  });
  const wait = (step: HandOffStep) =>
    handOff.timed(false, step, never, (limit) => {
      return new Promise((_resolve, reject) => {
        limit.addEventListener('abort', () => reject(limit.reason));
      });
    });
  const load = () => wait('load');
  const check = () => wait('check');
  const lose = (ms: number) => {
    lostMs += ms;
  };
  return { load, check, lines, lose };
}

test('a server with GPUs of its own has to load in time too, and the failure says what was not done', async () => {
  const { load, lines } = open();
  const failed = expect(load()).rejects.toMatchObject({
    ...{ reason: 'vllm_unhealthy', message: 'The server did not load the adapter within 900 s.' },
  });
  await vi.advanceTimersByTimeAsync(900_000);
  await failed;
  expect(lines).toEqual([]);
});

test('minutes in which the server is started again do not count', async () => {
  const { load, lose } = open();
  const loading = load().catch((error: Error) => error.message);
  lose(500_000);
  await vi.advanceTimersByTimeAsync(1_300_000);
  expect(await Promise.race([loading, 'still loading'])).toBe('still loading');
  await vi.advanceTimersByTimeAsync(100_000);
  expect(await loading).toContain('within 900 s');
});

test('a check that waits behind rollouts is left to the time limit of its requests', async () => {
  const checking = open()
    .check()
    .catch((error: Error) => error.message);
  await vi.advanceTimersByTimeAsync(2_000_000);
  expect(await Promise.race([checking, 'still waiting'])).toBe('still waiting');
});
