import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { withDeadline } from '../deadline.ts';
import { InferenceError } from './inference-error.ts';
import { createStallWatch } from './stall-watch.ts';
import type { ServerProgress } from './vllm-metrics.ts';

const never = new AbortController().signal;
const LIMIT = 16_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** A server that draws `rate` tokens a second until `until`, in milliseconds from now. */
function open(given: { rate: number; until?: number; says?: boolean; running?: number }) {
  const { rate, until = Number.POSITIVE_INFINITY, says = true, running = 1 } = given;
  const started = performance.now();
  const slow: string[] = [];
  let looks = 0;
  const look = async (): Promise<ServerProgress | null> => {
    looks += 1;
    if (!says) throw new Error('404');
    const generated = (rate * Math.min(performance.now() - started, until)) / 1000;
    return { work: generated, generated, running, waiting: 0 };
  };
  const watch = createStallWatch({
    timeoutMs: LIMIT,
    look,
    now: () => performance.now(),
    onSlow: (message) => void slow.push(message),
  });
  /** A request that is answered after this many milliseconds; with what came of it, and when. */
  const ask = (ms: number, signal = never) => {
    const from = performance.now();
    const asked = watch.watch(600, signal, (until, uncounted) =>
      withDeadline(LIMIT, until, (limit) => answerAfter(ms, limit), uncounted).catch((error: unknown) => {
        if (!(error instanceof DOMException)) throw error;
        throw new InferenceError('timeout', 'no answer');
      }),
    );
    return asked
      .then(
        () => 'answered',
        (error: unknown) => (error instanceof InferenceError ? error.kind : error),
      )
      .then((outcome) => ({ outcome, seconds: Math.round((performance.now() - from) / 1000) }));
  };
  return { ask, slow, looks: () => looks };
}

function answerAfter(ms: number, limit: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    limit.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(limit.reason);
    });
  });
}

async function settled<T>(promise: Promise<T>): Promise<T> {
  await vi.advanceTimersByTimeAsync(1000_000);
  return promise;
}

test('a request that takes long while the server gets on is waited for, and said to be slow once, with a rate and an estimate', async () => {
  const { ask, slow } = open({ rate: 10 });
  const both = [ask(80_000), ask(90_000)];
  expect(await settled(Promise.all(both))).toMatchObject([{ outcome: 'answered' }, { outcome: 'answered' }]);
  expect(slow).toEqual([
    expect.stringMatching(
      /^The inference server is slow, not stuck: 2 requests under way, the oldest for 1[68] s, 10\.0 tokens\/s, at most 120 s to go\. Each is waited for for at most 160 s, 10 times inference\.vllm\.timeout/,
    ),
  ]);
});

test('a server that says that it gets nothing done is stuck after the time limit', async () => {
  expect(await settled(open({ rate: 0 }).ask(80_000))).toEqual({ outcome: 'stuck', seconds: 16 });
});

test('the time limit begins anew when work stops', async () => {
  const { outcome, seconds } = await settled(open({ rate: 10, until: 50_000 }).ask(900_000));
  expect(outcome).toBe('stuck');
  expect(seconds).toBeGreaterThan(50 + 10);
  expect(seconds).toBeLessThan(50 + 22);
});

test('of a server that does not say what it does nothing but the time is known', async () => {
  expect(await settled(open({ rate: 10, says: false }).ask(80_000))).toEqual({ outcome: 'timeout', seconds: 16 });
});

test('work for others does not put one request off for ever', async () => {
  expect(await settled(open({ rate: 10 }).ask(900_000))).toEqual({ outcome: 'timeout', seconds: 160 });
});

test('a request that a server without work owes is lost, long before its time is up', async () => {
  expect(await settled(open({ rate: 0, running: 0 }).ask(80_000))).toEqual({ outcome: 'unreachable', seconds: 8 });
});

test('short requests cost no look, and nothing looks when nothing is asked', async () => {
  const { ask, looks } = open({ rate: 10 });
  expect((await settled(ask(500))).outcome).toBe('answered');
  expect(looks()).toBe(0);
});

test('stopping ends the wait at once', async () => {
  const stop = new AbortController();
  const asked = open({ rate: 10 }).ask(80_000, stop.signal);
  stop.abort('stopped');
  expect(await asked).toEqual({ outcome: 'stopped', seconds: 0 });
});
