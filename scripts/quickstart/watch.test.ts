import { expect, it } from 'vitest';
import type { Run } from './client.ts';
import { describe } from './watch.ts';

it('shows of a run in the queue what it waits for, and how far that is', () => {
  const why = 'its model, acme/large at 1111111, is being fetched: 1.2 GB of 2.4 GB (50 %)';
  const run = {
    status: 'queued',
    message: 'Waiting for its turn.',
    progress: null,
    waiting: { position: 1, why },
  } as Run;
  expect(describe(run).text).toBe(`  queued: ${why}`);
  expect(describe({ ...run, waiting: null }).text).toBe('  queued: Waiting for its turn.');
});

it('shows what the trainer does, and what rollouts do that go on meanwhile', () => {
  const progress = { phase: 'training', step: 6, total_steps: 12, eta_seconds: 60, rollouts: null };
  const run = { status: 'running', task: 'train', progress } as Run;
  expect(describe(run).text).toMatch(/ step 6\/12 {2}ETA \S+ {2}training$/);
  const rollouts = { state: 'waiting_for_trainer', in_flight: 0, buffered: 8 };
  expect(describe({ ...run, progress: { ...progress, rollouts } } as Run).text).toMatch(
    / {2}training, rollouts waiting for trainer$/,
  );
});
